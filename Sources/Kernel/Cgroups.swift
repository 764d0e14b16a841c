internal import Glibc
internal import Synchronization

/// Where this process can make groups, and how.
///
/// Its groups are below its own one in each hierarchy: in the unified one (cgroup v2), where that lets
/// us, and in those of cgroup v1 that a limit needs. Any thread.
package final class Cgroups: Sendable {
    /// The base in the unified hierarchy, or why there is none. ENOENT: there is no such hierarchy.
    let unified: Result<CgroupBase, Errno>
    /// Our own groups in cgroup v1, by controller; two controllers may share one.
    let v1: [String: CgroupDirectory]
    /// Our own groups in all hierarchies.
    let own: [CgroupDirectory]
    private let mark: ServerMark
    /// Held over the system calls that make what is made once: two must not make it.
    let once = Mutex(Once())

    struct Once {
        var isClosed = false
        /// By the own group's path.
        var v1Bases: [String: CgroupBase] = [:]
        var controllers: UnifiedControllers?
    }

    /// Finds this process's groups. Makes nothing but the base in the unified hierarchy, and never
    /// fails: where no group can be made, `make` says so.
    package convenience init() {
        self.init(hierarchies: Cgroups.found(), mark: .own())
    }

    init(
        hierarchies: [CgroupHierarchy],
        mark: ServerMark,
        populate: (@Sendable (_ path: String) -> Void)? = nil,
    ) {
        var unified: Result<CgroupBase, Errno> = .failure(.notFound)
        var v1: [String: CgroupDirectory] = [:]
        var all: [CgroupDirectory] = []
        for hierarchy in hierarchies {
            let used = hierarchy.controllers.filter {
                Cgroups.usedV1Controllers.contains($0) && v1[$0] == nil
            }
            guard hierarchy.isUnified || !used.isEmpty,
                let own = try? CgroupDirectory(hierarchy.directory, populate: populate),
                own.isThere
            else { continue }
            for controller in used { v1[controller] = own }
            if hierarchy.isUnified {
                if (try? unified.get()) != nil { continue }
                unified = Result { () throws(Errno) in try CgroupBase(in: own, mark: mark) }
            }
            all.append(own)
        }
        self.unified = unified
        self.v1 = v1
        own = all
        self.mark = mark
        if let base = try? unified.get() {
            once.withLock { $0.controllers = UnifiedControllers(base: base, pid: mark.pid) }
        }
    }

    deinit {
        close()
    }

    /// Why execs without limits get no group; nil: they get one.
    package var refusal: Errno? {
        switch unified {
        case .success: nil
        case .failure(let errno): errno
        }
    }

    /// Makes a group, to start one process in. Nil: no limit is asked for, and no group can be made
    /// here. Throws only where a limit can't be had; then nothing is left. The names must be one part
    /// of a path each. An equal name gets a group of its own.
    package func make(
        container: String,
        exec: String,
        limits: CgroupLimits = CgroupLimits(),
    ) throws(CgroupFailure) -> Cgroup? {
        var places: [(controller: CgroupController, place: Place)] = []
        for controller in limits.controllers {
            places.append((controller, try place(of: controller)))
        }
        var group = Unfinished(container: container, exec: exec)
        do throws(CgroupFailure) {
            do throws(Errno) {
                group.unified = try unified.get().make(container: container, exec: exec)
            } catch {
                let limited = places.first { $0.place.isUnified }
                if let limited { throw CgroupFailure(limited.controller, error) }
            }
            for (controller, place) in places { try group.limit(controller, place, limits) }
        } catch {
            _ = group.made?.remove()
            throw error
        }
        return group.made
    }

    /// Kills all that is in groups of ours, and waits for that, at most `timeout`.
    package func killAll(atMost timeout: Duration = .seconds(5)) {
        let deadline = SystemClocks().now + timeout
        var bases = once.withLock { Array($0.v1Bases.values) }
        if let base = try? unified.get() { bases.append(base) }
        for base in bases { _ = base.directory.killAll(by: deadline) }
    }

    /// Removes the bases, and takes back what was changed in our own groups. Groups that somebody is
    /// in stay, for `removeLeftovers` of the next start. Nothing can be made after this. At the latest
    /// this happens when the object goes away.
    package func close() {
        let once = once.withLock { once in
            defer { once = Once(isClosed: true) }
            return once
        }
        if once.isClosed { return }
        for base in once.v1Bases.values { _ = base.remove() }
        if let base = try? unified.get() { _ = base.remove() }
        once.controllers?.takeBack()
    }

    private static let usedV1Controllers =
        Set(CgroupController.allCases.map(\.rawValue)).union([FreezerGroup.controller])

    private static func found() -> [CgroupHierarchy] {
        guard let mountinfo = try? Files.readSmall("/proc/self/mountinfo", max: 4 << 20),
            let cgroup = try? Files.readSmall("/proc/self/cgroup", max: 1 << 20)
        else { return [] }
        return CgroupMounts.hierarchies(
            mountinfo: String(decoding: mountinfo, as: UTF8.self),
            cgroup: String(decoding: cgroup, as: UTF8.self),
        )
    }
}

// MARK: Where a limit is kept

extension Cgroups {
    enum Place {
        case unified
        case v1(CgroupBase)

        var isUnified: Bool {
            if case .unified = self { true } else { false }
        }
    }

    /// Where groups with this controller can be made; what that needs is made ready.
    private func place(of controller: CgroupController) throws(CgroupFailure) -> Place {
        let isOffered = try once.withLock { once throws(CgroupFailure) in
            try once.controllers?.handDown(controller) ?? false
        }
        if isOffered { return .unified }
        do throws(Errno) {
            if let base = try v1Base(of: controller.rawValue) { return .v1(base) }
            _ = try unified.get()
        } catch .notFound {
            throw CgroupFailure(controller, because: "no hierarchy of cgroups controls that")
        } catch {
            throw CgroupFailure(controller, error)
        }
        throw CgroupFailure(
            controller,
            because: "this process's own cgroup was not given the \(controller.rawValue) controller",
        )
    }

    /// The base in the hierarchy of a v1 controller; nil: there is none.
    func v1Base(of controller: String) throws(Errno) -> CgroupBase? {
        guard let own = v1[controller] else { return nil }
        return try once.withLock { once throws(Errno) in
            if once.isClosed { throw .notFound }
            if let base = once.v1Bases[own.path] { return base }
            let base = try CgroupBase(in: own, mark: mark)
            once.v1Bases[own.path] = base
            return base
        }
    }
}

/// A group whose limits are being set.
private struct Unfinished {
    let container: String
    let exec: String
    var unified: Cgroup.Part?
    private var v1: [Cgroup.Part] = []

    init(container: String, exec: String) {
        self.container = container
        self.exec = exec
    }

    /// Nil: there is no directory of it.
    var made: Cgroup? {
        unified == nil && v1.isEmpty ? nil : Cgroup(unified: unified, v1: v1)
    }

    mutating func limit(
        _ controller: CgroupController,
        _ place: Cgroups.Place,
        _ limits: CgroupLimits,
    ) throws(CgroupFailure) {
        let part: Cgroup.Part
        do throws(Errno) {
            part = try self.part(in: place, controller)
        } catch {
            throw CgroupFailure(controller, error)
        }
        try limits.apply(controller, to: part.directory, isUnified: place.isUnified)
    }

    private mutating func part(
        in place: Cgroups.Place,
        _ controller: CgroupController,
    ) throws(Errno) -> Cgroup.Part {
        switch place {
        case .unified:
            guard let unified else { throw .notFound }
            // The container's group may be a new one each time.
            try unified.base.write(
                "+\(controller.rawValue)",
                to: "\(unified.container)/\(UnifiedControllers.file)",
            )
            return unified
        case .v1(let base):
            if let part = v1.first(where: { $0.base === base.directory }) { return part }
            let part = try base.make(container: container, exec: exec)
            v1.append(part)
            return part
        }
    }
}
