internal import Glibc

/// What libFuzzer hands to a target, where it lies: a read past its end is found by AddressSanitizer.
struct Input {
    private(set) var rest: UnsafeRawBufferPointer

    static func lent(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Input {
        Input(rest: UnsafeRawBufferPointer(start: data, count: data == nil ? 0 : size))
    }

    var isEmpty: Bool { rest.isEmpty }

    /// Takes the first `count` bytes, or as many as there are.
    mutating func take(_ count: Int) -> UnsafeRawBufferPointer {
        let taken = UnsafeRawBufferPointer(rebasing: rest.prefix(count))
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
        return taken
    }

    /// Takes a number of one byte; 0 where there is none.
    mutating func takeByte() -> Int { take(1).first.map(Int.init) ?? 0 }

    /// Takes a number of three bytes, little endian, below a MiB; bytes that are not there are 0.
    mutating func takeSize() -> Int { takeByte() | takeByte() << 8 | (takeByte() & 0xf) << 16 }
}

/// Ends the process where a property does not hold.
func check(_ holds: Bool, _ property: @autoclosure () -> String) {
    if !holds { fatalError(property()) }
}
