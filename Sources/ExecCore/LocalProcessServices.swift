internal import ExecModel
internal import Kernel
internal import Synchronization

/// What all processes of one host share. Any thread.
final class LocalProcessServices: Sendable {
    let options: ProcessOptions
    let children: ChildTable
    let indexes: ProcessIndexes
    let gate = StartGate()
    /// Where users are looked up.
    let lookups = WaitingThreads(name: "lookup", threadsMax: 16, jobsMax: 4_096)
    /// Where processes are measured.
    let measurements = WaitingThreads(name: "measure", threadsMax: 8, jobsMax: 4_096)
    /// What marks processes of this server, and nobody else's.
    let mark = randomBytes(8).map { String($0, radix: 16) }.joined()
    /// How many have been marked.
    let marked = Atomic<UInt64>(0)
    /// What commands must not inherit; 0: there is nothing.
    let oomScore = OomScore.own
    private let cgroups: Cgroups?

    init(_ options: ProcessOptions) {
        self.options = options
        children = ChildTable()
        indexes = ProcessIndexes(children)
        cgroups = options.usesCgroups ? Cgroups() : nil
    }

    /// A cgroup for an exec; nil: none can be had, and none has to be.
    func makeCgroup(
        for limits: Limits,
        of key: ExecKey,
    ) throws(StartFailure) -> Cgroup? {
        let wanted = CgroupLimits(
            memoryBytesMax: limits.memoryBytesMax,
            pidsMax: UInt64(limits.pidsMax),
            cpuMillis: limits.cpuMillis,
        )
        guard let cgroups else {
            if wanted == CgroupLimits() { return nil }
            throw StartFailure(
                refusal: "limits: memory, pids and cpu need a cgroup, and none can be made here"
            )
        }
        do throws(CgroupFailure) {
            return try cgroups.make(container: key.containerID, exec: key.execID, limits: wanted)
        } catch {
            throw StartFailure(refusal: "limits: \(error.message)")
        }
    }

    /// A freezer of cgroup v1; nil: there is none here.
    func makeFreezer(of key: ExecKey) -> FreezerGroup? {
        cgroups?.makeFreezer(container: key.containerID, exec: key.execID)
    }

    /// Kills what servers that were killed themselves have left running. Returns how many.
    func endLeftovers() -> Int { cgroups?.removeLeftovers() ?? 0 }

    func closeCgroups() {
        cgroups?.killAll()
        cgroups?.close()
    }
}
