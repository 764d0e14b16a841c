import ExecModel
import Testing

@testable import execstream

@Suite("A limit to how long something may take", .timeLimit(.minutes(1)))
struct InTimeTests {
    private let late = ExecError(.unavailable, "late")

    @Test func `what takes too long is called off`() async {
        let error = await #expect(throws: ExecError.self) {
            try await InTime(.milliseconds(1)).run(orThrow: late) { () async throws(ExecError) in
                try? await Task.sleep(for: .seconds(3600))
            }
        }
        #expect(error?.message == "late")
    }

    @Test func `what comes in time is not waited for any longer`() async throws {
        let long = InTime(.seconds(3600))
        #expect(try await long.run(orThrow: late) { () throws(ExecError) in 7 } == 7)
        let refused = ExecError(.notFound, "")
        let error = await #expect(throws: ExecError.self) {
            try await long.run(orThrow: late) { () throws(ExecError) in throw refused }
        }
        #expect(error?.code == .notFound)
    }

    @Test func `each has the limit for itself, and what came before is no part of it`() async throws
    {
        let each = InTime(.seconds(2))
        let clock = SuspendingClock()
        let begin = clock.now
        // More than the limit together.
        while clock.now - begin < .milliseconds(2_200) {
            try await each.run(orThrow: late) { () async throws(ExecError) in await Task.yield() }
        }
    }

    @Test func `a caller that is cancelled is not late`() async {
        let late = late
        let task = Task {
            try await InTime(.seconds(3600)).run(orThrow: late) { () async throws(ExecError) in
                try? await Task.sleep(for: .seconds(3600))
                throw ExecError(.cancelled, "")
            }
        }
        task.cancel()
        let error = await #expect(throws: ExecError.self) { try await task.value }
        #expect(error?.code == .cancelled)
    }
}
