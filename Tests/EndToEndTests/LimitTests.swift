import Glibc
import Testing

@Suite("The limits that serve and run take", .serialized, .timeLimit(.minutes(2)))
struct LimitTests {
    @Test("of execs and of a container are kept, and say what to do")
    func execs() async throws {
        let options = "--execs-max 3 --container-execs-max 2 --starts-per-second 0"
            .split(separator: " ").map(String.init)
        try await House.run(options) { house in
            for exec in ["1", "2"] {
                #expect(try await house.run("run", "-e", exec, "true").code == 0)
            }
            let container = try await house.run("run", "-e", "3", "true")
            #expect(container.code == 125)
            #expect(container.stderr.contains("container local has 2 execs"))
            #expect(try await house.run("run", "-c", "b", "true").code == 0)
            let all = try await house.run("run", "-c", "b", "true")
            #expect(all.code == 125)
            #expect(all.stderr.contains("keeps 3 execs at most"))
        }
    }

    @Test("of connections and calls must be numbers that make sense")
    func usage() async throws {
        try await House.withoutServer { house in
            for name in ["connections-max", "streams-max", "execs-max", "container-execs-max"] {
                let said = try await house.run("serve", "--\(name)", "0")
                #expect(said.code == 2)
                #expect(said.stderr.contains("--\(name): '0' is not a number from 1"))
            }
        }
        try await House.run(["--connections-max", "1", "--streams-max", "1"]) { house in
            let viewer = try house.start(["run", "-e", "1", "sh", "-c", "echo up; sleep 60"])
            try await viewer.prints("up\n")
            let other = try await house.run("ps")
            #expect(other.code == 125)
        }
    }

    @Test("of a log cost its oldest part, and it is said how much")
    func logBytes() async throws {
        try await House.run { house in
            let script = "head -c 4000000 /dev/zero | tr '\\0' x; echo; echo end"
            let words = ["run", "-d", "-e", "1", "--log-bytes", "1M", "sh", "-c", script]
            #expect(try await house.start(words).end().code == 0)
            #expect(try await house.run("wait", "local/1").code == 0)
            let logs = try await house.run("logs", "local/1")
            #expect(logs.code == 0)
            #expect(logs.stdout.hasSuffix("x\nend\n"))
            #expect(logs.stdout.utf8.count < 1 << 20)
            #expect(logs.stderr.contains("were skipped"))
            let small = try await house.run("run", "--log-bytes", "64K", "true")
            #expect(small.code == 125)
            #expect(small.stderr.contains("log_bytes_max"))
        }
    }
    @Test("of a log hold through a kill at any moment: what is left is whole", arguments: 1...3)
    func killed(round: Int) async throws {
        try await House.run { house in
            // Lines of 13 bytes, of which the log's limit trims some all the time.
            let script = """
                seq -f %012.0f 1 \(200_000 + 37_777 * round) ; echo mark >&2
                exec seq -f %012.0f \(200_001 + 37_777 * round) 100000000
                """
            let words = [
                "-c", "exec \"$0\" run -e 1 --log-bytes 1M sh -c \"$1\" > /dev/null",
                try programPath(), script,
            ]
            let viewer = try house.start(program: "/bin/sh", words)
            try await viewer.wait { $0.stderr.contains("mark") }
            let server = try house.server
            server.signal(SIGKILL)
            #expect(try await server.end().code == 137)
            viewer.signal(SIGKILL)
            #expect(Glibc.access("\(house.directory)/execstream/execs/local/1/trimmed", F_OK) == 0)
            try await house.serve()
            let logs = try await house.run("logs", "local/1")
            #expect(logs.code == 255)
            #expect(!logs.out.contains(0))
            #expect(logs.out.count > 1 << 19 && logs.out.count < 1 << 20)
            let numbers = logs.stdout.split(separator: "\n").dropFirst().dropLast()
                .map { Int($0) ?? 0 }
            #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 + 1 == $1 })
        }
    }
}
