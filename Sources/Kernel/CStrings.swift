/// Strings as C wants them: an array of pointers that ends with NULL, all in two allocations. None
/// may contain a NUL byte.
struct CStrings: ~Copyable {
    let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let bytes: UnsafeMutablePointer<CChar>

    init(_ strings: [String]) {
        let byteCount = strings.reduce(0) { $0 + $1.utf8.count + 1 }
        bytes = .allocate(capacity: max(1, byteCount))
        pointers = .allocate(capacity: strings.count + 1)
        var next = bytes
        for (index, string) in strings.enumerated() {
            (pointers + index).initialize(to: next)
            for byte in string.utf8 {
                next.initialize(to: CChar(bitPattern: byte))
                next += 1
            }
            next.initialize(to: 0)
            next += 1
        }
        (pointers + strings.count).initialize(to: nil)
    }

    deinit {
        pointers.deallocate()
        bytes.deallocate()
    }
}
