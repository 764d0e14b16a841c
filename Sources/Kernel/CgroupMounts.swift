/// Where one hierarchy of cgroups is to be found, and this process in it.
struct CgroupHierarchy: Hashable, Sendable {
    /// What it controls, as "memory" or "name=systemd"; none: it is the unified one (cgroup v2).
    var controllers: [String]
    /// The directory of the process's own group.
    var directory: String

    var isUnified: Bool { controllers.isEmpty }
}

/// What /proc/self/mountinfo and /proc/self/cgroup say about cgroups, as values.
enum CgroupMounts {
    /// A line of mountinfo; see proc_pid_mountinfo(5).
    struct Mount: Hashable {
        /// The part of the file system that is mounted.
        var root: String
        var mountPoint: String
        var type: String
        var options: [String]
    }

    /// A line of cgroup; see cgroups(7).
    struct Membership: Hashable {
        var controllers: [String]
        /// From the root of the hierarchy, or of the process's cgroup namespace, on.
        var path: String
    }

    /// The hierarchies in which the process can be found by a path: its group must lie in what is
    /// mounted. A hierarchy that is mounted twice is told twice.
    static func hierarchies(mountinfo: String, cgroup: String) -> [CgroupHierarchy] {
        let memberships = memberships(cgroup)
        let mounts = mounts(mountinfo)
        var last: [String: Int] = [:]
        for (index, mount) in mounts.enumerated() { last[mount.mountPoint] = index }
        return mounts.enumerated().compactMap { index, mount in
            // What is mounted later at the same place hides this one.
            guard last[mount.mountPoint] == index,
                let membership = memberships.first(where: { mount.shows($0) }),
                let rest = remainder(of: membership.path, under: mount.root)
            else { return nil }
            let mountPoint = mount.mountPoint == "/" ? "" : mount.mountPoint
            return CgroupHierarchy(
                controllers: membership.controllers,
                directory: mountPoint + rest,
            )
        }
    }

    /// All mounts, of whatever type; lines of another form are left out.
    static func mounts(_ mountinfo: String) -> [Mount] {
        lines(mountinfo).compactMap { line in
            let fields = line.utf8.split(separator: UInt8(ascii: " ")).map { Substring($0) }
            // Behind the sixth field come any number of optional ones, and then "-".
            guard fields.count >= 10, let dash = fields[6...].firstIndex(of: "-"),
                fields.count >= dash + 4
            else { return nil }
            return Mount(
                root: unescaped(fields[3]),
                mountPoint: unescaped(fields[4]),
                type: String(fields[dash + 1]),
                options: names(fields[dash + 3]),
            )
        }
    }

    /// The process's group in each hierarchy; lines of another form are left out.
    static func memberships(_ cgroup: String) -> [Membership] {
        lines(cgroup).compactMap { line in
            let fields = line.utf8.split(
                separator: UInt8(ascii: ":"),
                maxSplits: 2,
                omittingEmptySubsequences: false,
            )
            guard fields.count == 3, fields[2].first == UInt8(ascii: "/") else { return nil }
            return Membership(
                controllers: names(Substring(fields[1])),
                path: String(Substring(fields[2])),
            )
        }
    }

    /// What is left of `path` below `root`: "" or "/…"; nil: it doesn't lie there.
    private static func remainder(of path: String, under root: String) -> String? {
        var rest = path[...]
        if root != "/" {
            guard path == root || path.utf8.starts(with: "\(root)/".utf8) else { return nil }
            rest = Substring(path.utf8.dropFirst(root.utf8.count))
        }
        if rest == "/" { return "" }
        // Outside of our namespace, and of what is mounted.
        return rest.split(separator: "/").contains("..") ? nil : String(rest)
    }

    private static func lines(_ text: String) -> [Substring] {
        text.utf8.split(separator: UInt8(ascii: "\n")).map { Substring($0) }
    }

    private static func names(_ list: Substring) -> [String] {
        list.utf8.split(separator: UInt8(ascii: ",")).map { String(Substring($0)) }
    }

    /// The kernel writes blanks and backslashes as three octal digits: `\040`.
    private static func unescaped(_ field: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = field.utf8[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            if byte == UInt8(ascii: "\\"), digits.count == 3,
                let value = UInt8(String(Substring(digits)), radix: 8)
            {
                bytes.append(value)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension CgroupMounts.Mount {
    /// Whether it shows the hierarchy of this membership.
    func shows(_ membership: CgroupMounts.Membership) -> Bool {
        if membership.controllers.isEmpty { return type == "cgroup2" }
        return type == "cgroup" && membership.controllers.allSatisfy { options.contains($0) }
    }
}
