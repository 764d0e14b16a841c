import ExecModel
import Testing
import Wire

@testable import ExecServer

@Suite("The labels of a list", .timeLimit(.minutes(1)))
struct LabelFilterTests {
    private let long = String(repeating: "k", count: 10_000)

    @Test("are all looked for, long ones too, and byte by byte")
    func matching() throws {
        let labels = ["a": "1", "b": "2", long: "3"]
        for (filter, matches) in [
            ([:], true), (["a": "1"], true), (["a": "1", long: "3"], true), (labels, true),
            (["a": "2"], false), (["c": "1"], false), ([long: "4"], false),
            ([long + "k": "3"], false), (["a": "1", "b": "2", "c": "3", "d": "4"], false),
        ] as [([String: String], Bool)] {
            #expect(try LabelFilter(filter).matches(labels) == matches)
        }
    }

    @Test("are 64 KiB at most: more is INVALID_ARGUMENT, and the connection goes on")
    func bytes() async throws {
        try await Service.run { service in
            let client = try RawClient(service)
            let most = String(repeating: "k", count: LabelFilter.bytesMax - 1)
            let allowed = ExecListRequest(labels: [most: "v"])
            #expect(try client.call(.execList, allowed, id: 3).status == nil)
            let refused = ExecListRequest(labels: [most: "vv"])
            let failure = try client.call(.execList, refused, id: 5).status
            #expect(failure?.code == .invalidArgument)
            #expect(failure?.message.contains("labels: 65537 bytes") == true)
            #expect(try client.call(.execList, allowed, id: 7).status == nil)
        }
    }
}
