internal import CLinux

/// `count` bytes nobody can guess, from the kernel.
package func randomBytes(_ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let answer = bytes.withUnsafeMutableBytes { el_random($0.baseAddress, $0.count) }
    precondition(answer == 0, "the kernel has no random bytes: \(Errno(-answer))")
    return bytes
}
