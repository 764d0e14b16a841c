import ExecModel
import ExecServer
import Glibc
import Kernel
import Testing
import Wire

/// Real execs whose logs lie on a file system of 1 MiB. Needs the right to mount one.
@Suite(
    "On a disk that is full",
    .serialized,
    .timeLimit(.minutes(2)),
    .enabled(if: SmallDisk.canBeMade, "only root may mount a tmpfs")
)
struct DiskFullTests {
    @Test("a viewer that keeps up gets every byte, and the exit says that the log is not complete")
    func keepingUp() async throws {
        try await SmallDisk.lend { disk in
            try await Service.run(configure: { $0.stateDirectory = disk }) { service in
                let client = try RawClient(service)
                // 4 MiB, each piece of it once the one before has been seen.
                let piece = 64 << 10
                var command = Command([
                    "python3", "-c",
                    """
                    import os
                    while os.read(0, 1):
                        left = \(piece)
                        while left: left -= os.write(1, b"x" * left)
                    """,
                ])
                command.stdin = true
                try client.start(Start(containerID: "full", execID: "a", command: command), id: 3)
                for _ in 0..<64 {
                    try client.send(SessionRequest.stdin([10]), id: 3)
                    var count = 0
                    while count < piece { count += try client.nextOutput(3).bytes.count }
                    #expect(count == piece)
                }
                try client.send(SessionRequest.closeStdin, id: 3)
                let rest = try client.session(3)
                let exit = try #require(rest.exit)
                #expect((exit.code, exit.reason) == (0, .natural))
                #expect(exit.stdoutBytes == UInt64(64 * piece))
                #expect(exit.drained)
                #expect(exit.message.contains("the log is not complete"))
                #expect(exit.message.contains("ENOSPC"))
            }
        }
    }

    @Test("the exec ends as ever, and a late viewer is told exactly what it can't be given")
    func late() async throws {
        try await SmallDisk.lend { disk in
            try await Service.run(configure: { $0.stateDirectory = disk }) { service in
                let bytes = 32 << 20
                let script = "head -c \(bytes) /dev/zero; exit 5"
                let first = try service.run(["sh", "-c", script], as: "b")
                let client = try RawClient(service)
                try client.start(Start(containerID: "test", execID: "b", command: nil), id: 3)
                let late = try client.session(3)
                for said in [first, late] {
                    let exit = try #require(said.exit)
                    #expect(exit.code == 5)
                    #expect(exit.stdoutBytes == UInt64(bytes))
                    #expect(exit.message.contains("the log is not complete"))
                    let got = said.chunks.reduce(0) { $0 + UInt64($1.bytes.count) }
                    let missing = said.gaps.reduce(0) { $0 + $1.stdoutBytes }
                    #expect(got + missing == exit.stdoutBytes)
                }
                #expect(late.gaps.count == 1)
                #expect(late.chunks.contains { $0.sequence == late.exit?.lastSequence })
            }
        }
    }
}

extension RawClient {
    /// The next chunk on stream `id`, whatever comes before it.
    fileprivate func nextOutput(_ id: UInt32) throws -> Output {
        while true {
            let frame = try next()
            guard frame.header.streamID == id, frame.header.type == .data else { continue }
            if case .output(let output) = try decode(SessionResponse.self, frame.payload) {
                return output
            }
        }
    }
}

extension Transcript {
    fileprivate var gaps: [Gap] {
        responses.compactMap { if case .gap(let gap) = $0 { gap } else { nil } }
    }
}

/// A file system of 1 MiB in memory.
private enum SmallDisk {
    static let canBeMade: Bool = {
        let directory = temporaryDirectory()
        defer { rmdir(directory) }
        guard mount("tmpfs", directory, "tmpfs", 0, "size=4k,mode=0700") == 0 else { return false }
        return umount2(directory, Int32(MNT_DETACH)) == 0
    }()

    static func lend(_ body: (String) async throws -> Void) async throws {
        let directory = temporaryDirectory()
        try #require(mount("tmpfs", directory, "tmpfs", 0, "size=1m,mode=0700") == 0)
        defer {
            umount2(directory, Int32(MNT_DETACH))
            rmdir(directory)
        }
        try await body(directory)
    }
}
