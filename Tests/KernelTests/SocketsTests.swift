internal import Glibc
internal import Testing

@testable internal import Kernel

@Suite(.timeLimit(.minutes(1))) struct SocketsTests {
    @Test(arguments: ["tcp:127.0.0.1:0", "tcp:[::1]:0", "tcp:localhost:0", "unix"])
    func `listens, connects and accepts`(form: String) async throws {
        let directory = try TemporaryDirectory()
        let address = try SocketAddress(
            parsing: form == "unix" ? "unix:\(directory.path)/s" : form
        )
        try await withLoop { loop in
            var listening = try Sockets.listen(on: address)
            let real = listening.address
            let listener = Held(listening.takeDescriptor())
            if case .tcp(_, let port) = real {
                #expect(port != 0)
            } else {
                #expect(real == address)
            }
            #expect(try Sockets.accept(listener.descriptor) == nil)

            let client = Held(try Sockets.connect(to: real))
            try await loop.readiness(of: client, for: .writable)
            #expect(Sockets.connectResult(client.descriptor) == nil)
            try await loop.readiness(of: listener, for: .readable)
            let server = Held(try required(try Sockets.accept(listener.descriptor)))
            #expect(try Sockets.accept(listener.descriptor) == nil)
            Sockets.tune(server.descriptor)

            #expect(try server.descriptor.readText() == nil)
            try client.descriptor.write("ping")
            try await loop.readiness(of: server, for: .readable)
            #expect(try server.descriptor.readText() == "ping")
            Sockets.shutdownWrites(client.descriptor)
            try await loop.readiness(of: server, for: .readable)
            #expect(try server.descriptor.readText() == "")
            try server.descriptor.write("pong")
            try await loop.readiness(of: client, for: .readable)
            #expect(try client.descriptor.readText() == "pong")
        }
    }

    @Test func `notices a peer that is gone, not one that does not read`() async throws {
        var listening = try Sockets.listen(on: .tcp(host: "127.0.0.1", port: 0))
        let client = Held(try Sockets.connect(to: listening.address))
        let listener = Held(listening.takeDescriptor())
        try await withLoop { loop in _ = try await loop.readiness(of: listener, for: .readable) }
        let server = Held(try required(try Sockets.accept(listener.descriptor)))
        Sockets.tune(server.descriptor)
        func option(_ level: Int32, _ name: Int32) -> Int32 {
            var value: Int32 = -1
            var length = socklen_t(MemoryLayout<Int32>.size)
            getsockopt(server.descriptor.number, level, name, &value, &length)
            return value
        }
        let tcp = Int32(IPPROTO_TCP)
        #expect(option(SOL_SOCKET, SO_KEEPALIVE) == 1)
        #expect(option(tcp, TCP_KEEPIDLE) == 60)
        #expect(option(tcp, TCP_KEEPINTVL) == 15)
        #expect(option(tcp, TCP_KEEPCNT) == 4)
        #expect(option(tcp, TCP_USER_TIMEOUT) == 0)
        #expect(option(tcp, TCP_NODELAY) != 0)
        withExtendedLifetime(client) {}
    }

    @Test func `makes sockets that no program inherits and no call waits for`() throws {
        var pair = try Sockets.pair()
        let near = pair.takeFirst()
        #expect(fcntl(near.number, F_GETFD) == FD_CLOEXEC)
        #expect(fcntl(near.number, F_GETFL) & O_NONBLOCK != 0)
    }

    @Test func `tells why a connection could not be begun`() throws {
        let directory = try TemporaryDirectory()
        let none = try #require(throws: SocketFailure.self) {
            _ = try Sockets.connect(to: .unix(path: "\(directory.path)/none"))
        }
        #expect(none.errno == .notFound)
        #expect(
            none.description
                == "cannot connect to unix:\(directory.path)/none: No such file or directory (ENOENT)"
        )
        let unknown = try #require(throws: SocketFailure.self) {
            _ = try Sockets.connect(to: .tcp(host: "no host has this name", port: 1))
        }
        #expect(unknown.step == .resolve)
    }

    @Test func `tells that a connection was refused`() async {
        await #expect(processExitsWith: .success) {
            // A port that was free a moment ago, and that nobody listens on.
            var listening = try Sockets.listen(on: .tcp(host: "127.0.0.1", port: 0))
            let address = listening.address
            listening.takeDescriptor().close()
            let refusal = try await withLoop { loop in
                do {
                    let client = Held(try Sockets.connect(to: address))
                    try await loop.readiness(of: client, for: .writable)
                    return Sockets.connectResult(client.descriptor)
                } catch let failure as SocketFailure {
                    return failure.errno
                }
            }
            #expect(refusal == .connectionRefused)
        }
    }

    @Test func `resolves a name to numbers, and a path to itself`() throws {
        let local = try Sockets.resolve(.tcp(host: "localhost", port: 80))
        #expect(local.contains(.tcp(host: "127.0.0.1", port: 80)))
        let path = SocketAddress.unix(path: "/run/x")
        #expect(try Sockets.resolve(path) == [path])
    }

    @Test func `knows who is on the other side`() async throws {
        var pair = try Sockets.pair()
        let peer = try Sockets.peerCredentials(pair.takeFirst())
        #expect(peer == PeerCredentials(pid: getpid(), uid: getuid(), gid: getgid()))

        var listening = try Sockets.listen(on: .tcp(host: "127.0.0.1", port: 0))
        let client = Held(try Sockets.connect(to: listening.address))
        let listener = Held(listening.takeDescriptor())
        try await withLoop { loop in _ = try await loop.readiness(of: client, for: .writable) }
        #expect(Sockets.peerName(client.descriptor) == listening.address.description)
        let server = try required(try Sockets.accept(listener.descriptor))
        #expect(Sockets.peerName(server).hasPrefix("tcp:127.0.0.1:"))
        #expect(Sockets.peerName(listener.descriptor) == "nobody")
        let near = pair.takeSecond()
        #expect(Sockets.peerName(near) == "unix:pid=\(getpid()),uid=\(getuid())")
    }

    @Test func `keeps others out of a socket file from its first moment on`() throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/s"
        var listening = try Sockets.listen(on: .unix(path: path))
        let listener = listening.takeDescriptor()
        var status = stat()
        #expect(stat(path, &status) == 0)
        #expect(status.st_mode == S_IFSOCK | 0o600)
        #expect(Files.exists(path))
        listener.close()
    }

    // In a process of its own: one that another test is starting has a copy of the stale socket for a
    // moment, and then it is not stale.
    @Test func `replaces a stale socket file, and nothing else`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let address = SocketAddress.unix(path: "\(directory.path)/s")
            var stale = try Sockets.listen(on: address)
            stale.takeDescriptor().close()
            var live = try Sockets.listen(on: address)
            let listener = live.takeDescriptor()
            let failure = try #require(throws: SocketFailure.self) {
                _ = try Sockets.listen(on: address)
            }
            #expect(failure.errno == .addressInUse)
            #expect(failure.detail == "somebody listens on it already")
            // The one that is alive was asked, and goes on.
            let client = try Sockets.connect(to: address)
            #expect(try Sockets.accept(listener) != nil)
            #expect(try Sockets.accept(listener) != nil)
            client.close()

            let file = try directory.file("f", "precious")
            let refused = try #require(throws: SocketFailure.self) {
                _ = try Sockets.listen(on: .unix(path: file))
            }
            #expect(refused.errno == .addressInUse)
            #expect(try text(of: file) == "precious")
        }
    }

    @Test func `lets one of many servers have a stale socket file`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let address = SocketAddress.unix(path: "\(directory.path)/s")
            for _ in 0..<50 {
                var stale = try Sockets.listen(on: address)
                stale.takeDescriptor().close()
                try await withLoops(4) { loops in
                    let winners = Shared<[Held]>([])
                    for loop in loops {
                        loop.execute {
                            guard var listening = try? Sockets.listen(on: address) else { return }
                            let held = Held(listening.takeDescriptor())
                            winners.change { $0.append(held) }
                        }
                    }
                    for loop in loops { try await loop.perform {} }
                    let count = winners.value.count
                    if count != 1 { fail("\(count) servers have the address") }
                }
            }
        }
    }

    @Test func `listens whoever holds a lock on the directory, and leaves no lock file`() throws {
        let directory = try TemporaryDirectory()
        let holder = open(directory.path, O_RDONLY | O_DIRECTORY)
        defer { Glibc.close(holder) }
        #expect(flock(holder, LOCK_EX) == 0)
        let path = "\(directory.path)/s"
        // One that a killed server has left.
        try Files.writeAtomically("\(path).lock", [])
        var listening = try Sockets.listen(on: .unix(path: path))
        #expect(try Files.list(directory.path) == ["s"])
        listening.takeDescriptor().close()
    }

    @Test func `says which lock file another process holds, and does not wait for long`() throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/s"
        let file = try Files.open("\(path).lock", .createNew(permissions: 0o600))
        #expect(try Files.lockExclusively(file))
        let failure = try #require(throws: SocketFailure.self) {
            _ = try Sockets.listen(on: .unix(path: path))
        }
        #expect(failure.errno == .addressInUse)
        #expect(failure.detail == "another process holds the lock file \(path).lock")
    }

    @Test(arguments: [0, 1, 2, 3])
    func `takes no lock file that others can open`(kind: Int) throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/s"
        let victim = try directory.file("victim", "precious")
        switch kind {
        case 0: #expect(symlink(victim, "\(path).lock") == 0)
        case 1: #expect(mkfifo("\(path).lock", 0o600) == 0)
        case 2: try Files.writeAtomically("\(path).lock", [], permissions: 0o644)
        default:
            guard geteuid() == 0 else { return }
            try Files.writeAtomically("\(path).lock", [])
            #expect(chown("\(path).lock", 65534, 0) == 0)
        }
        let failure = try #require(throws: SocketFailure.self) {
            _ = try Sockets.listen(on: .unix(path: path))
        }
        #expect(failure.detail.contains("lock file \(path).lock"))
        #expect(try text(of: victim) == "precious")
    }

    @Test func `leaves a TCP port to whoever has it`() throws {
        var listening = try Sockets.listen(on: .tcp(host: "127.0.0.1", port: 0))
        let address = listening.address
        let listener = listening.takeDescriptor()
        let failure = try #require(throws: SocketFailure.self) {
            _ = try Sockets.listen(on: address)
        }
        #expect(failure.step == .bind)
        #expect(failure.errno == .addressInUse)
        listener.close()
    }
}
