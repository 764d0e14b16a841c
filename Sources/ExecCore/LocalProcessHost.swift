package import ExecModel
package import Kernel
internal import Synchronization

/// Runs commands as children of this very process, each in a session of its own and, where that can
/// be had, in a cgroup of its own.
///
/// Where it can't, offspring is found by its parents, its session, and a mark in its environment:
/// see `TracedOffspring`.
package final class LocalProcessHost: ProcessHost {
    private let services: LocalProcessServices

    /// A host whose commands are started with these options.
    package init(_ options: ProcessOptions) { services = LocalProcessServices(options) }

    package func start(
        _ command: Command,
        as key: ExecKey,
        on loop: EventLoop,
        _ done: @escaping (consuming StartResult) -> Void,
    ) -> any StartTicket {
        let start = LocalStart(command, of: key, services: services, on: loop, done)
        start.begin()
        return start
    }

    /// Kills what earlier servers have left running that were killed themselves, as far as cgroups hold
    /// it. Returns how many processes that were. Takes a moment; at the start.
    package func endLeftovers() -> Int { services.endLeftovers() }

    /// Collects the orphans that have ended. From any thread.
    package func collectOrphans() { services.children.collectOrphans() }

    /// Kills what execs have left running, and gives back the cgroups. Nothing is started after it.
    package func close(collectingOrphans: Bool) {
        services.closeCgroups()
        // All of /proc is looked through for marks only where some were given.
        if services.marked.load(ordering: .relaxed) > 0 {
            ProcessMark.killAll(ofServer: services.mark)
        }
        if collectingOrphans { collectOrphans() }
    }
}
