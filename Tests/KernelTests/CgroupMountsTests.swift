internal import Testing

@testable internal import Kernel

@Suite struct CgroupMountsTests {
    private func found(_ mountinfo: String, _ cgroup: String) -> [String] {
        CgroupMounts.hierarchies(mountinfo: mountinfo, cgroup: cgroup).map {
            "\($0.controllers.joined(separator: ",")) \($0.directory)"
        }
    }

    @Test func `finds the one hierarchy of a host with cgroup v2`() {
        let mountinfo = """
            22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
            30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 master:2 - cgroup2 cgroup2 rw,nsdelegate
            31 23 0:27 / /sys/fs/pstore rw - pstore pstore rw
            """
        let cgroup = "0::/system.slice/exec:stream.service\n"
        #expect(
            found(mountinfo, cgroup) == [" /sys/fs/cgroup/system.slice/exec:stream.service"]
        )
        #expect(found(mountinfo, "0::/") == [" /sys/fs/cgroup"])
        #expect(found(mountinfo, "") == [])
        #expect(found("", cgroup) == [])
    }

    @Test func `finds all hierarchies of a host with cgroup v1`() {
        let mountinfo = """
            31 23 0:26 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755
            33 31 0:28 / /sys/fs/cgroup/systemd rw shared:11 - cgroup cgroup rw,xattr,name=systemd
            34 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:12 - cgroup cgroup rw,cpu,cpuacct
            35 31 0:30 / /sys/fs/cgroup/memory rw shared:13 - cgroup cgroup rw,memory
            """
        let cgroup = """
            5:cpu,cpuacct:/user.slice
            4:memory:/user.slice/one
            3:pids:/nowhere
            1:name=systemd:/user.slice/session-1.scope
            """
        #expect(
            found(mountinfo, cgroup) == [
                "name=systemd /sys/fs/cgroup/systemd/user.slice/session-1.scope",
                "cpu,cpuacct /sys/fs/cgroup/cpu,cpuacct/user.slice",
                "memory /sys/fs/cgroup/memory/user.slice/one",
            ]
        )
    }

    @Test func `finds both kinds on a hybrid host`() {
        let mountinfo = """
            35 32 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
            41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
            """
        #expect(
            found(mountinfo, "4:memory:/a\n0::/\n") == [
                "memory /sys/fs/cgroup/memory/a", " /sys/fs/cgroup/unified",
            ]
        )
    }

    @Test func `finds a container's group with and without a cgroup namespace`() {
        // Without: the paths are the host's, and only the container's part is mounted.
        let plain = """
            700 690 0:29 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory
            """
        #expect(found(plain, "4:memory:/docker/abc") == ["memory /sys/fs/cgroup/memory"])
        #expect(found(plain, "4:memory:/docker/abc/in") == ["memory /sys/fs/cgroup/memory/in"])
        #expect(found(plain, "4:memory:/docker/abcd") == [])
        // With: everything counts from the container's own group on.
        let namespaced = "700 690 0:29 / /sys/fs/cgroup rw - cgroup2 cgroup rw"
        #expect(found(namespaced, "0::/") == [" /sys/fs/cgroup"])
        #expect(found(namespaced, "0::/init.scope") == [" /sys/fs/cgroup/init.scope"])
        // A mount of the host's, seen from inside: who knows what our part is called there.
        let outer = "700 690 0:29 /../../.. /sys/fs/cgroup rw - cgroup2 cgroup rw"
        #expect(found(outer, "0::/") == [])
        #expect(found(outer, "0::/../../../here") == [" /sys/fs/cgroup/here"])
        // A process outside of its own namespace.
        #expect(found(namespaced, "0::/../other") == [])
    }

    @Test func `reads escaped paths`() {
        let mountinfo = #"30 23 0:26 / /mnt/a\040b\134c\011d rw - cgroup2 none rw"#
        #expect(found(mountinfo, "0::/own group") == [" /mnt/a b\\c\td/own group"])
        // No escape at all.
        #expect(
            found(#"30 23 0:26 / /mnt/\04 rw - cgroup2 none rw"#, "0::/") == [#" /mnt/\04"#]
        )
    }

    @Test func `leaves out what is hidden, and what is no mount`() {
        let hidden = """
            30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw
            31 23 0:27 / /sys/fs/cgroup rw - tmpfs tmpfs rw
            """
        #expect(found(hidden, "0::/") == [])
        let odd = "- - - - -\n30 23 0:26 / /sys/fs/cgroup rw - cgroup2\n\n30 23\n"
        #expect(found(odd, "0::/\nx\n0:\n0::relative\n") == [])
    }
}
