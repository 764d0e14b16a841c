internal import CLinux
internal import Glibc
internal import Synchronization

/// One group's directory, open: what is asked of it can't reach another group that was made later
/// under the same name. Once the group is removed, its files are ENOENT.
final class CgroupDirectory: Sendable {
    /// For messages, and for what must be named.
    let path: String
    /// Of a base: whether processes are killed when they are born in a group below it.
    let killsNewborns = Atomic(false)
    private let descriptor: Descriptor
    /// For tests: puts into a directory that was just made what the kernel would have put there.
    private let populate: (@Sendable (_ path: String) -> Void)?

    /// Opens a group that is there.
    convenience init(
        _ path: String,
        populate: (@Sendable (_ path: String) -> Void)? = nil,
    ) throws(Errno) {
        try Files.check(path)
        let number = try SystemCall.value { el_open(path, O_RDONLY | O_DIRECTORY, 0) }
        self.init(owning: Descriptor(owning: number), path: path, populate: populate)
    }

    private init(
        owning descriptor: consuming Descriptor,
        path: String,
        populate: (@Sendable (_ path: String) -> Void)?,
    ) {
        self.descriptor = descriptor
        self.path = path
        self.populate = populate
    }

    /// Valid for as long as this object lives.
    var number: Int32 { descriptor.number }

    /// Whether the group has not been removed.
    var isThere: Bool { has("cgroup.procs") }
}

// MARK: Groups in this one

extension CgroupDirectory {
    /// Makes the group `name` in this one. EEXIST: there is something of this name.
    func makeSubgroup(_ name: String) throws(Errno) {
        try SystemCall.value { posix(mkdirat(descriptor.number, name, 0o755)) }
        populate?("\(path)/\(name)")
    }

    /// Opens the group `name` in this one, or "name/name" in one of those.
    func subgroup(_ name: String) throws(Errno) -> CgroupDirectory {
        let number = try SystemCall.value {
            el_openat(descriptor.number, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)
        }
        return CgroupDirectory(
            owning: Descriptor(owning: number),
            path: "\(path)/\(name)",
            populate: populate,
        )
    }

    /// Makes and opens the group `name`, as `makeSubgroup` and `subgroup` do. Leaves none behind where it
    /// throws.
    func newSubgroup(_ name: String) throws(Errno) -> CgroupDirectory {
        try makeSubgroup(name)
        do throws(Errno) {
            return try subgroup(name)
        } catch {
            // No descriptor is left, say.
            try? removeSubgroup(name)
            throw error
        }
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

    /// Removes all groups below this one, deepest first; those that aren't empty stay.
    func removeSubgroups() {
        forEachSubgroup { (parent, name) in try? parent.removeSubgroup(name) }
    }

    /// The processes in this group and those below, each once, by rising pid. None that our process
    /// namespace doesn't show.
    func processes() -> [Int32] {
        var found: Set<Int32> = Set(ownProcesses())
        forEachSubgroup { parent, name in
            if let group = try? parent.subgroup(name) { found.formUnion(group.ownProcesses()) }
        }
        return found.subtracting([0]).sorted()
    }

    /// The processes in this very group; 0 stands for one that we can't see.
    func ownProcesses() -> [Int32] {
        let lines = (try? text(of: "cgroup.procs"))?.utf8.split(separator: UInt8(ascii: "\n")) ?? []
        return lines.compactMap { Int32(Substring($0)) }
    }

    /// Calls `body` for each group below, those below it first.
    func forEachSubgroup(
        depth: Int = CgroupDirectory.depthMax,
        _ body: (_ parent: CgroupDirectory, _ name: String) -> Void,
    ) {
        for name in (try? subgroups()) ?? [] {
            // Each level has a descriptor open.
            if depth > 0, let group = try? subgroup(name) {
                group.forEachSubgroup(depth: depth - 1, body)
            }
            body(self, name)
        }
    }

    private static let depthMax = 64
}

// MARK: Files

extension CgroupDirectory {
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

    /// The number that one of the group's files consists of; nil: it isn't there, or says "max".
    func count(in file: String) -> UInt64? {
        guard let text = try? text(of: file) else { return nil }
        return UInt64(Substring(text.utf8.prefix { $0 != UInt8(ascii: "\n") }))
    }

    /// The number behind `key` in one of the group's files that has lines of "key number".
    func count(_ key: String, in file: String) -> UInt64? {
        let lines = (try? text(of: file))?.utf8.split(separator: UInt8(ascii: "\n")) ?? []
        for line in lines {
            let words = line.split(separator: UInt8(ascii: " ")).map { Substring($0) }
            if words.count == 2, words[0] == key { return UInt64(words[1]) }
        }
        return nil
    }

    /// The words of one of the group's files.
    func words(in file: String) throws(Errno) -> [String] {
        let blanks: Set<UInt8> = [UInt8(ascii: " "), UInt8(ascii: "\n")]
        return try text(of: file).utf8.split { blanks.contains($0) }.map { String(Substring($0)) }
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
