/// A way to the server that a test can cut: every connection breaks, and new ones are taken at once.
final class Proxy: Sendable {
    private let child: Child
    /// Where clients find the server.
    let address: String

    /// Cuts for every line on its stdin; says how often it has.
    private static let program = """
        import select, socket, sys
        host, port = sys.argv[1].removeprefix("tcp:").rsplit(":", 1)
        listener = socket.create_server(("127.0.0.1", 0))
        print(f"listening on {listener.getsockname()[1]}", flush=True)
        other, cuts = {}, 0
        while True:
            for ready in select.select([sys.stdin, listener, *other], [], [])[0]:
                if ready is sys.stdin:
                    if not sys.stdin.readline():
                        sys.exit()
                    for each in other:
                        each.close()
                    other, cuts = {}, cuts + 1
                    print(f"cut {cuts}", flush=True)
                    break
                if ready is listener:
                    client, server = listener.accept()[0], socket.create_connection((host, int(port)))
                    other[client], other[server] = server, client
                elif ready in other:
                    bytes = ready.recv(65536)
                    if bytes:
                        other[ready].sendall(bytes)
                    else:
                        for each in ready, other[ready]:
                            del other[each]
                            each.close()
        """

    /// A proxy to the house's server.
    init(_ house: House) async throws {
        let words = ["-c", Self.program, try house.address]
        child = try house.start(program: "/usr/bin/python3", words, input: nil)
        let said = try await child.wait { $0.stdout.contains("\n") }.stdout
        let port = said.split(separator: "\n").first?.split(separator: " ").last ?? ""
        address = "tcp:127.0.0.1:\(port)"
    }

    /// Breaks all connections.
    func cut() async throws {
        let before = child.view.stdout.split(separator: "\n").count
        child.write("\n")
        try await child.wait { $0.stdout.split(separator: "\n").count > before }
    }
}
