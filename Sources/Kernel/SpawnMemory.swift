internal import CLinux
internal import Glibc

/// All that a child reads of a start, in memory of its own. The child shares it until it runs its program,
/// so it must outlive that: see `SpawnAttempt`.
final class SpawnMemory {
    let request: SpawnRequest
    let candidates: [String]
    private let paths: CStrings
    private let argv: CStrings
    private let environment: CStrings
    private let directory: CStrings
    private let limits: UnsafeMutableBufferPointer<el_spawn_limit>
    private let groups: UnsafeMutableBufferPointer<UInt32>

    init(_ request: SpawnRequest) {
        self.request = request
        candidates = request.candidates
        paths = CStrings(candidates)
        argv = CStrings(request.argv)
        environment = CStrings(request.environment)
        directory = CStrings(request.workingDirectory.map { [$0] } ?? [])
        limits = .copy(
            request.resourceLimits.map {
                el_spawn_limit(resource: $0.resource, soft: $0.soft, hard: $0.hard)
            }
        )
        groups = .copy(request.user?.groups ?? [])
    }

    deinit {
        limits.deallocate()
        groups.deallocate()
    }

    /// The request as the shim takes it, without descriptors and cgroups.
    func makeRequest(_ method: SpawnMethod) -> el_spawn_request {
        var c = el_spawn_request()
        c.candidates = UnsafePointer(paths.pointers)
        c.argv = UnsafePointer(argv.pointers)
        c.environment = UnsafePointer(environment.pointers)
        c.directory = UnsafePointer(directory.pointers[0])
        if request.controllingTerminal { c.flags |= UInt32(EL_SPAWN_CONTROLLING_TERMINAL) }
        if request.hasMemoryLimit { c.flags |= UInt32(EL_SPAWN_OWN_MEMORY) }
        if method == .fork { c.flags |= UInt32(EL_SPAWN_BY_FORK) }
        if let user = request.user {
            c.flags |= UInt32(EL_SPAWN_CHANGE_USER)
            c.uid = user.uid
            c.gid = user.gid
        }
        c.limits = UnsafePointer(limits.baseAddress)
        c.limit_count = limits.count
        c.groups = UnsafePointer(groups.baseAddress)
        c.group_count = groups.count
        c.hang = request.hang?.descriptor ?? -1
        c.hang_step = request.hang?.step.rawValue ?? 0
        return c
    }
}

extension UnsafeMutableBufferPointer {
    fileprivate static func copy(_ elements: [Element]) -> UnsafeMutableBufferPointer {
        let buffer = UnsafeMutableBufferPointer.allocate(capacity: elements.count)
        _ = buffer.initialize(from: elements)
        return buffer
    }
}
