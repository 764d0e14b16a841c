/// The names of Linux's signals: `TERM`, `SIGTERM` and `15` are the same.
enum SignalNames {
    /// The number of a signal given by name or number; nil: there is no such signal.
    static func number(_ text: String) -> Int32? {
        if text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            guard let number = Int32(text), (1...64).contains(number) else { return nil }
            return number
        }
        let upper = text.uppercased()
        let name = upper.hasPrefix("SIG") ? String(upper.dropFirst(3)) : upper
        return numbers[name]
    }

    /// The short name of a signal, or its number where it has none.
    static func name(_ number: Int32) -> String {
        names.indices.contains(Int(number) - 1) ? names[Int(number) - 1] : "\(number)"
    }

    /// From 1 on, in the order of their numbers: the same on every architecture Swift runs on.
    private static let names = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
        "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
        "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ]

    private static let numbers: [String: Int32] = {
        var numbers = ["IOT": Int32(6), "CLD": 17, "POLL": 29]
        for (index, name) in names.enumerated() { numbers[name] = Int32(index) + 1 }
        return numbers
    }()
}
