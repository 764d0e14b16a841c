internal import Testing

@testable internal import Wire

@Suite("What a request may have, counted before it is decoded")
struct RequestBoundsTests {
    private let start = CallRequest(method: "ExecList").encode()

    private func failure(_ bytes: [UInt8]) -> String? {
        do {
            _ = try CallRequest.decode(bytes: bytes)
            return nil
        } catch {
            return error.message
        }
    }

    private func entries(_ count: Int, bytes: Int = 0) -> [UInt8] {
        let entry = (key: "k", value: String(repeating: "v", count: bytes))
        let metadata = [(key: String, value: String)](repeating: entry, count: count)
        return CallRequest(method: "ExecList", metadata: metadata).encode()
    }

    @Test("is 64 entries of metadata, also such as are empty")
    func count() {
        #expect(failure(entries(64)) == nil)
        #expect(failure(entries(65)) == "Request.metadata has more than 64 entries")
        let empty = [[UInt8]](repeating: hex("2a00"), count: 65).flatMap { $0 }
        #expect(failure(start + empty.dropLast(2)) == nil)
        #expect(failure(start + empty) == "Request.metadata has more than 64 entries")
        // The same field, its key and length in more bytes than they need.
        let long = [[UInt8]](repeating: hex("aa8000 8000"), count: 65).flatMap { $0 }
        #expect(failure(start + long) == "Request.metadata has more than 64 entries")
    }

    @Test("is 8 KiB of metadata")
    func bytes() {
        #expect(failure(entries(1, bytes: 8_100)) == nil)
        #expect(failure(entries(8, bytes: 1_024)) == "Request.metadata has more than 8192 bytes")
    }

    @Test("is 256 fields, whatever they are")
    func fields() {
        let unknown = [[UInt8]](repeating: hex("7a00"), count: 254).flatMap { $0 }
        #expect(failure(start + unknown) == nil)
        #expect(failure(start + unknown + hex("7800")) == "Request has more than 256 fields")
    }

    @Test("ends where its bytes end, whatever they say of their length")
    func cuts() {
        for tail in ["2a", "2a05", "2aff", "7d0000", "79000000", "7affffffffffffffffff01", "07"] {
            #expect(failure(start + hex(tail)) == "Request does not parse")
        }
    }
}
