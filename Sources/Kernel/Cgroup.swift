/// A group of processes that none of them can leave by itself: whatever they start is in it too.
///
/// One for each exec, made by `Cgroups.make`. It may consist of several directories: one in the
/// unified hierarchy (cgroup v2), which tells and does everything, and one in each hierarchy of
/// cgroup v1 that had to be asked for a limit. Any thread.
package final class Cgroup: Sendable {
    /// Nil: this machine has no cgroup v2, or not for us.
    let unified: CgroupDirectory?
    let v1: [CgroupDirectory]

    init(unified: CgroupDirectory?, v1: [CgroupDirectory] = []) {
        precondition(unified != nil || !v1.isEmpty, "a cgroup has a directory")
        self.unified = unified
        self.v1 = v1
    }
}
