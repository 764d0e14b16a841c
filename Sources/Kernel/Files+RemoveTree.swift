internal import CLinux
internal import Glibc

extension Files {
    /// Removes a file, or a directory with all that is in it; fine where there is nothing. Never
    /// follows a symbolic link, also not one that somebody swaps in meanwhile.
    package static func removeTree(_ path: String) throws(Errno) {
        try check(path)
        try removeEntry(path, in: AT_FDCWD, depth: 0)
    }

    /// As above, for a name in an open directory.
    static func removeTree(_ name: String, in directory: Int32) throws(Errno) {
        try removeEntry(name, in: directory, depth: 0)
    }

    /// Each level holds a descriptor, so the depth is bounded: ENAMETOOLONG.
    private static let depthMax = 64

    private static func removeEntry(
        _ name: String,
        in directory: Int32,
        depth: Int,
    ) throws(Errno) {
        do throws(Errno) {
            try SystemCall.value { posix(unlinkat(directory, name, 0)) }
            return
        } catch .notFound {
            return
        } catch .isDirectory {
        }
        if depth == depthMax { throw .nameTooLong }
        try removeContents(name, in: directory, depth: depth)
        do throws(Errno) {
            try SystemCall.value { posix(unlinkat(directory, name, AT_REMOVEDIR)) }
        } catch .notFound {
            // Somebody else was as thorough.
        }
    }

    private static func removeContents(
        _ name: String,
        in directory: Int32,
        depth: Int,
    ) throws(Errno) {
        let number: Int32
        do throws(Errno) {
            number = try SystemCall.value {
                el_openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)
            }
        } catch .notFound {
            return
        }
        let stream = try DirectoryStream(Descriptor(owning: number))
        for child in try stream.names() {
            try removeEntry(child, in: stream.number, depth: depth + 1)
        }
    }
}

/// An open directory's names.
struct DirectoryStream: ~Copyable {
    private let stream: OpaquePointer

    /// Takes over the directory's descriptor.
    init(_ directory: consuming Descriptor) throws(Errno) {
        // The stream owns and closes the number it is given: a copy, so that two don't.
        let number = try SystemCall.value { el_duplicate(directory.number, 0) }
        guard let stream = fdopendir(number) else {
            let error = Errno(errno)
            Glibc.close(number)
            throw error
        }
        self.stream = stream
    }

    deinit {
        closedir(stream)
    }

    var number: Int32 { dirfd(stream) }

    /// All names but "." and "..", or those of directories only (where the file system tells).
    func names(ofDirectoriesOnly: Bool = false) throws(Errno) -> [String] {
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno != 0 { throw Errno(errno) }
                return names
            }
            if ofDirectoriesOnly, entry.pointee.d_type != UInt8(DT_DIR) { continue }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
    }
}
