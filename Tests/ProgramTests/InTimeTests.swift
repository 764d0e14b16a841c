import ExecModel
import Testing

@testable import execstream

@Suite("A limit to how long something may take", .timeLimit(.minutes(1)))
struct InTimeTests {
    private let late = ExecError(.unavailable, "late")

    @Test func `what takes too long is called off`() async {
        let error = await #expect(throws: ExecError.self) {
            try await inTime(.milliseconds(1), orThrow: late) { () async throws(ExecError) in
                try? await Task.sleep(for: .seconds(3600))
            }
        }
        #expect(error?.message == "late")
    }

    @Test func `what comes in time is not waited for any longer`() async throws {
        let limit = Duration.seconds(3600)
        #expect(try await inTime(limit, orThrow: late) { () throws(ExecError) in 7 } == 7)
        let refused = ExecError(.notFound, "")
        let error = await #expect(throws: ExecError.self) {
            try await inTime(limit, orThrow: late) { () throws(ExecError) in throw refused }
        }
        #expect(error?.code == .notFound)
    }

    @Test func `a caller that is cancelled is not late`() async {
        let late = late
        let task = Task {
            try await inTime(.seconds(3600), orThrow: late) { () async throws(ExecError) in
                try? await Task.sleep(for: .seconds(3600))
                throw ExecError(.cancelled, "")
            }
        }
        task.cancel()
        let error = await #expect(throws: ExecError.self) { try await task.value }
        #expect(error?.code == .cancelled)
    }
}
