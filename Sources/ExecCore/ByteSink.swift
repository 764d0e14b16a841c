/// Something that bytes can be written to, from any one thread at a time.
public protocol ByteSink: Sendable {
    /// Takes all of `bytes`, or throws.
    func write(_ bytes: RawSpan) throws(ExecError)
}

extension ByteSink {
    /// Takes all of `bytes`, or throws.
    public func write(_ bytes: [UInt8]) throws(ExecError) {
        try write(bytes.span.bytes)
    }

    /// Takes the UTF-8 of `text`, or throws.
    public func write(_ text: String) throws(ExecError) {
        try write(Array(text.utf8))
    }
}
