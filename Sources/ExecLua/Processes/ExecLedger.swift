internal import ExecClient
internal import ExecModel
internal import Kernel
internal import Synchronization

/// What a script has started and what has not been seen to end: what is to be stopped when it ends,
/// also when it does not get to do that itself.
final class ExecLedger: Sendable {
    private let open = Mutex<[ExecKey: Place]>([:])

    /// How many are stopped at once.
    private static let stopsMax = 100

    /// It is being started.
    func began(_ key: ExecKey, at place: Place) { open.withLock { $0[key] = place } }

    /// It has exited, and is the server's to forget.
    func ended(_ key: ExecKey) { open.withLock { _ = $0.removeValue(forKey: key) } }

    /// Stops all, and returns when they have exited. Answers what could not be stopped.
    func stopAll() async -> [String] {
        let all = open.withLock { $0 }
        return await withTaskGroup(of: String?.self) { group in
            var problems: [String] = []
            for (index, (key, place)) in all.enumerated() {
                if index >= Self.stopsMax, let problem = await group.next() {
                    problems += problem.map { [$0] } ?? []
                }
                group.addTask { await Self.stop(key, at: place) }
            }
            for await problem in group { problems += problem.map { [$0] } ?? [] }
            return problems
        }
    }

    /// Kills all, while `stopAll` waits for them.
    func killAll() {
        for (key, place) in open.withLock({ $0 }) {
            // Detached, since nobody waits for it: `stopAll` waits for what comes of it.
            Task.detached {
                _ = try? await place.client.signal(key, SignalRequest(Signals.kill))
            }
        }
    }

    private static func stop(_ key: ExecKey, at place: Place) async -> String? {
        do throws(ExecError) {
            try await place.client.stop(key, graceMS: place.resource.graceMS)
            if !place.resource.keepsExited { try await place.client.remove(key) }
            return nil
        } catch {
            // It was never started, or its end was not seen here.
            if error.code == .notFound { return nil }
            return "\(key) may still run: \(error.message)"
        }
    }
}
