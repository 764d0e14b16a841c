internal import CLinux
internal import Glibc

/// One group's directory, open: what is asked of it can't reach another group that was made later
/// under the same name. Once the group is removed, its files are ENOENT.
final class CgroupDirectory: Sendable {
    /// For messages, and for what must be named.
    let path: String
    private let descriptor: Descriptor

    /// Opens a group that is there.
    init(_ path: String) throws(Errno) {
        try Files.check(path)
        let number = try SystemCall.value { el_open(path, O_RDONLY | O_DIRECTORY, 0) }
        descriptor = Descriptor(owning: number)
        self.path = path
    }

    private init(owning descriptor: consuming Descriptor, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    /// Valid for as long as this object lives.
    var number: Int32 { descriptor.number }

    /// Opens the group `name` in this one.
    func subgroup(_ name: String) throws(Errno) -> CgroupDirectory {
        let number = try SystemCall.value {
            el_openat(descriptor.number, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)
        }
        return CgroupDirectory(owning: Descriptor(owning: number), path: "\(path)/\(name)")
    }

    /// The groups in this one; none once it is removed.
    func subgroups() throws(Errno) -> [String] {
        // Opened anew: a copy of the descriptor would share its place in the directory.
        let number = try SystemCall.value {
            el_openat(descriptor.number, ".", O_RDONLY | O_DIRECTORY, 0)
        }
        return try DirectoryStream(Descriptor(owning: number)).names(ofDirectoriesOnly: true)
    }

    /// Removes the group `name` in this one; fine where there is none. EBUSY: it isn't empty.
    func removeSubgroup(_ name: String) throws(Errno) {
        do throws(Errno) {
            try SystemCall.value { posix(unlinkat(descriptor.number, name, AT_REMOVEDIR)) }
        } catch .notFound {
            // Somebody else was as thorough.
        }
    }

    /// Whether the group has this file.
    func has(_ file: String) -> Bool {
        faccessat(descriptor.number, file, F_OK, 0) == 0
    }

    /// Opens one of the group's files to read it, also again and again (from 0).
    func open(_ file: String) throws(Errno) -> Descriptor {
        let number = try SystemCall.value { el_openat(descriptor.number, file, O_RDONLY, 0) }
        return Descriptor(owning: number)
    }

    /// The text of one of the group's files, up to `CgroupDirectory.fileBytesMax`.
    func text(of file: String) throws(Errno) -> String {
        let bytes = try open(file).readAll(max: CgroupDirectory.fileBytesMax)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Writes one of the group's files, in one call: the kernel takes each as one order.
    func write(_ text: String, to file: String) throws(Errno) {
        let number = try SystemCall.value { el_openat(descriptor.number, file, O_WRONLY, 0) }
        let file = Descriptor(owning: number)
        try Array(text.utf8).withUnsafeBufferPointer { bytes throws(Errno) in
            _ = try SystemCall.value {
                posix(Glibc.write(file.number, bytes.baseAddress, bytes.count))
            }
        }
    }

    /// Takes the directory's lock, for as long as it is open; false: somebody else has it.
    func lock() throws(Errno) -> Bool {
        try Files.lockExclusively(descriptor)
    }

    /// More pids than a machine has.
    private static let fileBytesMax = 32 << 20
}
