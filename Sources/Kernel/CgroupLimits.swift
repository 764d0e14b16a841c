/// What a group may use, all its processes together. 0: no limit.
package struct CgroupLimits: Hashable, Sendable {
    /// Beyond it the kernel kills; swap does not count as more room.
    package var memoryBytesMax: UInt64
    /// Processes and threads; beyond it nothing more can be started.
    package var pidsMax: UInt64
    /// Thousandths of one processor's time.
    package var cpuMillis: UInt64

    package init(memoryBytesMax: UInt64 = 0, pidsMax: UInt64 = 0, cpuMillis: UInt64 = 0) {
        self.memoryBytesMax = memoryBytesMax
        self.pidsMax = pidsMax
        self.cpuMillis = cpuMillis
    }
}

/// What in the kernel keeps a limit. Raw values are the kernel's names.
enum CgroupController: String, CaseIterable {
    case memory, pids, cpu
}

extension CgroupLimits {
    /// What it takes to keep them.
    var controllers: [CgroupController] {
        CgroupController.allCases.filter {
            switch $0 {
            case .memory: memoryBytesMax != 0
            case .pids: pidsMax != 0
            case .cpu: cpuMillis != 0
            }
        }
    }

    /// What to write into the files of a group, in order. An optional one may not be there.
    func orders(
        for controller: CgroupController,
        isUnified: Bool,
    ) -> [(file: String, text: String, isOptional: Bool)] {
        let cpu = cpuTimeUS
        switch (controller, isUnified) {
        case (.memory, true):
            return [
                ("memory.max", "\(memoryBytesMax)", false),
                ("memory.swap.max", "0", true),
            ]
        case (.memory, false):
            // The second is memory and swap together, and can't be the lower one at any time.
            return [
                ("memory.limit_in_bytes", "\(memoryBytesMax)", false),
                ("memory.memsw.limit_in_bytes", "\(memoryBytesMax)", true),
            ]
        case (.pids, _):
            return [("pids.max", "\(pidsMax)", false)]
        case (.cpu, true):
            return [("cpu.max", "\(cpu.quota) \(cpu.period)", false)]
        case (.cpu, false):
            return [
                ("cpu.cfs_period_us", "\(cpu.period)", false),
                ("cpu.cfs_quota_us", "\(cpu.quota)", false),
            ]
        }
    }

    /// The kernel gives `quota` in every `period`, and not less than 1 ms of the one, nor more than
    /// 1 s of the other.
    private var cpuTimeUS: (quota: UInt64, period: UInt64) {
        let period: UInt64 = cpuMillis < 10 ? 1_000_000 : 100_000
        let (quota, isTooMuch) = cpuMillis.multipliedReportingOverflow(by: period / 1000)
        return (isTooMuch ? UInt64.max : quota, period)
    }

    /// The value that `controller` keeps.
    private func value(of controller: CgroupController) -> UInt64 {
        switch controller {
        case .memory: memoryBytesMax
        case .pids: pidsMax
        case .cpu: cpuMillis
        }
    }

    /// Sets one limit of a group.
    func apply(
        _ controller: CgroupController,
        to group: CgroupDirectory,
        isUnified: Bool,
    ) throws(CgroupFailure) {
        for order in orders(for: controller, isUnified: isUnified) {
            do throws(Errno) {
                try group.write(order.text, to: order.file)
            } catch {
                // Swap may be without accounting.
                if order.isOptional, error == .notFound || error == .notSupported { continue }
                throw CgroupFailure(controller, value: value(of: controller), refused: error)
            }
        }
    }
}

/// A limit that can't be had.
package struct CgroupFailure: Error, Hashable, Sendable {
    /// Which: "memory", "pids" or "cpu".
    package let limit: String
    /// What the kernel said, where it was asked.
    package let errno: Errno?
    /// For people, one line: "no memory cgroup can be made here: Permission denied (EACCES)".
    package let message: String
}

extension CgroupFailure: CustomStringConvertible {
    package var description: String { message }
}

extension CgroupFailure {
    init(_ controller: CgroupController, _ errno: Errno) {
        self.init(controller, errno, because: errno.description)
    }

    init(_ controller: CgroupController, _ errno: Errno? = nil, because reason: String) {
        self.init(
            limit: controller.rawValue,
            errno: errno,
            message: "no \(controller.rawValue) cgroup can be made here: \(reason)",
        )
    }

    init(_ controller: CgroupController, value: UInt64, refused errno: Errno) {
        self.init(
            limit: controller.rawValue,
            errno: errno,
            message: "the \(controller.rawValue) limit \(value) cannot be set: \(errno)",
        )
    }
}
