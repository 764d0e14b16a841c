internal import CLinux

/// How a process is made.
package enum SpawnMethod: Hashable, Sendable {
    /// By clone, and by fork where the kernel refuses that.
    case automatic
    /// By fork, as on a kernel that refuses the clone.
    case fork
}

/// Starts programs.
package enum Spawn {
    /// Starts a program with these three descriptors, which stay the caller's. Returns when it runs,
    /// or throws when it doesn't; never anything in between. Any thread.
    ///
    /// With a `cgroup` no instruction of the program runs outside of it, and what it starts is in it.
    package static func start(
        _ request: SpawnRequest,
        stdin: borrowing Descriptor,
        stdout: borrowing Descriptor,
        stderr: borrowing Descriptor,
        cgroup: Cgroup? = nil,
        method: SpawnMethod = .automatic,
    ) throws(SpawnFailure) -> ChildProcess {
        if let problem = request.argumentProblem { throw SpawnFailure(argumentProblem: problem) }
        let candidates = request.candidates
        let result = call(
            request,
            candidates: candidates,
            standard: (stdin.number, stdout.number, stderr.number),
            cgroup: cgroup,
            method: method,
        )
        if result.step == 0 {
            return ChildProcess(pid: result.pid, pidfd: Descriptor(owning: result.pidfd))
        }
        guard let step = SpawnFailure.Step(rawValue: result.step) else {
            preconditionFailure("a start reports one of its steps, not \(result.step)")
        }
        let index = Int(result.candidate)
        throw SpawnFailure(
            step: step,
            errno: Errno(result.error),
            exists: result.exists != 0,
            path: candidates.indices.contains(index) ? candidates[index] : nil,
            of: request,
        )
    }

    private static func call(
        _ request: SpawnRequest,
        candidates: [String],
        standard: (Int32, Int32, Int32),
        cgroup: Cgroup?,
        method: SpawnMethod,
    ) -> el_spawn_result {
        let paths = CStrings(candidates)
        let argv = CStrings(request.argv)
        let environment = CStrings(request.environment)
        let directory = CStrings(request.workingDirectory.map { [$0] } ?? [])
        let limits = request.resourceLimits.map {
            el_spawn_limit(resource: $0.resource, soft: $0.soft, hard: $0.hard)
        }
        var c = el_spawn_request()
        c.candidates = UnsafePointer(paths.pointers)
        c.argv = UnsafePointer(argv.pointers)
        c.environment = UnsafePointer(environment.pointers)
        c.directory = UnsafePointer(directory.pointers[0])
        c.standard = standard
        if request.controllingTerminal { c.flags |= UInt32(EL_SPAWN_CONTROLLING_TERMINAL) }
        if method == .fork { c.flags |= UInt32(EL_SPAWN_BY_FORK) }
        if let user = request.user {
            c.flags |= UInt32(EL_SPAWN_CHANGE_USER)
            c.uid = user.uid
            c.gid = user.gid
        }
        // The directories stay open for as long as the group is here.
        return withExtendedLifetime(cgroup) {
            c.cgroup = cgroup?.unified?.directory.number ?? -1
            return call(
                &c,
                limits: limits,
                groups: request.user?.groups ?? [],
                v1Cgroups: cgroup?.v1.map(\.directory.number) ?? [],
            )
        }
    }

    private static func call(
        _ c: inout el_spawn_request,
        limits: [el_spawn_limit],
        groups: [UInt32],
        v1Cgroups: [Int32],
    ) -> el_spawn_result {
        var result = el_spawn_result()
        #if DEBUG
            if let fault = Faults.due(#fileID, #line) {
                result.step = SpawnFailure.Step.clone.rawValue
                result.error = fault
                return result
            }
        #endif
        limits.withUnsafeBufferPointer { limits in
            groups.withUnsafeBufferPointer { groups in
                v1Cgroups.withUnsafeBufferPointer { v1Cgroups in
                    c.limits = limits.baseAddress
                    c.limit_count = limits.count
                    c.groups = groups.baseAddress
                    c.group_count = groups.count
                    c.v1_cgroups = v1Cgroups.baseAddress
                    c.v1_cgroup_count = v1Cgroups.count
                    el_spawn(&c, &result)
                }
            }
        }
        return result
    }
}
