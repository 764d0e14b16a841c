import Kernel
import Testing
import Wire

@testable import ExecClient

@Suite(.timeLimit(.minutes(1))) struct ClientCoreTests {
    @Test func `a call whose time has not come is told when the client is closed`() async throws {
        let group = try EventLoopGroup(count: 1, name: "core")
        defer { group.shutdown() }
        let address = try SocketAddress(parsing: "unix:/tmp/execstream-nobody.sock")
        let (loop, answer) = (group.next(), Promise<ExecListResponse>())
        loop.execute {
            let core = ClientCore(
                loop: loop,
                address: address,
                tls: nil,
                token: .none,
                options: ClientOptions(),
            )
            core.start(Call(.execList, handler: UnaryCall(answer)), after: .seconds(3600))
            core.close()
        }
        let error = await #expect(throws: ExecError.self) { try await answer.value {} }
        #expect(error?.code == .cancelled)
    }
}
