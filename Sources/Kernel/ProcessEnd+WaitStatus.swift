extension ProcessEnd {
    /// From what wait(2) and its like fill in. What the process used is not in it.
    package init(waitStatus status: Int32) {
        let signal = status & 0x7F
        if signal == 0 {
            self.init(code: (status >> 8) & 0xFF)
        } else {
            self.init(code: nil, signal: signal, coreDumped: status & 0x80 != 0)
        }
    }
}
