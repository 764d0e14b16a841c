internal import Glibc
internal import Testing

@testable internal import Kernel

/// A base in a plain directory: what it does there needs no cgroups.
@Suite struct CgroupBaseTests {
    @Test func `leaves no group that it can make but not open`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
            var usual = rlimit()
            getrlimit(resource, &usual)
            let limit = usual.rlim_max
            let own = try CgroupDirectory(directory.path) { path in
                if path.hasSuffix("/c/e") {
                    // From here on nothing can be opened.
                    var none = rlimit(rlim_cur: 0, rlim_max: limit)
                    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &none)
                } else if !path.hasSuffix("/c") {
                    mkfifo("\(path)/cgroup.procs", 0o600)
                }
            }
            let base = try CgroupBase(in: own, mark: .of(1))
            var error: Errno?
            do throws(Errno) {
                _ = try base.make(container: "c", exec: "e")
            } catch let thrown {
                error = thrown
            }
            setrlimit(resource, &usual)
            if error != .descriptorsUsedUp { fail("\(String(describing: error))") }
            if Files.exists("\(base.directory.path)/c") { fail("a group") }
        }
    }
}
