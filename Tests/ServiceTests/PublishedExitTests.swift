import ExecCore
import ExecModel
import Testing
import Wire

/// The code that everybody is told is from 0 to 255, and 128+n with signal n, whatever a publisher or an
/// embedding program says.
@Suite("A published exit", .serialized, .timeLimit(.minutes(2)))
struct PublishedExitTests {
    @Test(
        "is told as it was given, a signal as 128 and its number",
        arguments: [
            (0, 0, 0), (1, 0, 1), (255, 0, 255), (137, 9, 137), (0, 9, 137), (0, 1, 129),
            (192, 64, 192),
        ] as [(Int32, Int32, Int32)]
    )
    func valid(code: Int32, signal: Int32, told: Int32) async throws {
        try await Service.run { service in
            let client = try RawClient(service)
            try begin(client)
            try client.send(
                PublishRequest.exit(PublishedExit(code: code, signal: signal)),
                id: 3
            )
            let response = try client.response(3)
            #expect(response.status == nil)
            let exit = try PublishResponse.decode(response.payload.span.bytes).exit
            #expect(exit.code == told && exit.signal == signal)
            #expect(exit.reason == (signal == 0 ? .natural : .signal))
            #expect(try instance(service).exit == exit)
        }
    }

    @Test(
        "with a code or signal that can't be is INVALID_ARGUMENT, and the exec a RUNTIME_ERROR",
        arguments: [
            (256, 0), (512, 0), (-1, 0), (-256, 0), (65536, 0), (.min, 0), (.max, 0), (0, -1),
            (0, 65), (0, 256), (0, .min), (256, 9), (9, 9), (-9, 9), (1, 15),
        ] as [(Int32, Int32)]
    )
    func invalid(code: Int32, signal: Int32) async throws {
        try await Service.run { service in
            let client = try RawClient(service)
            try begin(client)
            try client.send(
                PublishRequest.exit(PublishedExit(code: code, signal: signal)),
                id: 3
            )
            let status = try #require(try client.response(3).status)
            #expect(status.code == .invalidArgument)
            #expect(status.message.hasPrefix("PublishedExit."))
            let exit = try #require(try instance(service).exit)
            #expect(exit.code == 255 && exit.reason == .runtimeError)
        }
    }

    @Test(
        "of an embedding program is never a trap",
        arguments: [
            (0, 0, 0), (7, 0, 7), (256, 0, 255), (-1, 0, 255), (.min, .min, 255), (0, 9, 137),
            (0, 65, 255), (9, 9, 137), (.max, 1, 129), (0, -9, 255),
        ] as [(Int32, Int32, Int32)]
    )
    func embedded(code: Int32, signal: Int32, told: Int32) async throws {
        try await Service.run { service in
            let key = try ExecKey(container: "c", exec: "e")
            let instance = try service.registry.register(key)
            let exit = instance.finish(code: code, signal: signal, message: "m")
            #expect(exit.code == told)
            #expect(exit.message.hasPrefix("m"))
            if told == 255 {
                #expect(exit.reason == .runtimeError)
                #expect(exit.message.contains("code \(code), signal \(signal)"))
            }
        }
    }

    private func begin(_ client: RawClient) throws {
        try client.open("Publish", id: 3, flags: .remoteOpen)
        try client.send(
            PublishRequest.register(Register(containerID: "c", execID: "e")),
            id: 3
        )
    }

    private func instance(_ service: Service) throws -> ExecInstance {
        try service.registry.instance(ExecKey(container: "c", exec: "e"))
    }
}
