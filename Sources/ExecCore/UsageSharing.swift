internal import ExecModel
internal import Kernel

/// What an exec's processes consume, for all who ask: one measurement at a time, whose result is handed to
/// those who have asked meanwhile and kept for a moment. Used on the exec's loop.
final class UsageSharing {
    typealias Done = @Sendable (ResourceUsage) -> Void

    private let clocks: any Clocks
    private var meter: UsageMeter
    private var kept: (usage: ResourceUsage, until: Instant)?
    private var waiting: [Done] = []
    private var isMeasuring = false

    /// How long a result is kept: the longer it took, the longer, so that most of the time nothing is measured.
    private static let keptTime = Duration.milliseconds(100)...Duration.seconds(1)

    init(clocks: any Clocks) {
        self.clocks = clocks
        meter = UsageMeter(startedAt: clocks.now)
    }

    /// Calls `done` on `loop`, now or once `process` has been measured.
    func ask(_ process: any ProcessHandle, on loop: EventLoop, _ done: @escaping Done) {
        let began = clocks.now
        if let kept, began < kept.until { return done(kept.usage) }
        waiting.append(done)
        guard !isMeasuring else { return }
        isMeasuring = true
        process.measure(on: loop) { [self] consumption in
            isMeasuring = false
            let now = clocks.now
            let usage = meter.usage(consumption, at: now)
            let time = min(
                max(Self.keptTime.lowerBound, (now - began) * 10),
                Self.keptTime.upperBound
            )
            kept = (usage, now + time)
            let told = waiting
            waiting = []
            // Of its own for each: very many may have asked.
            for tell in told { loop.execute { tell(usage) } }
        }
    }
}
