import ExecClient
import ExecCore
import ExecModel
import ExecServer
import Kernel
import Testing

@testable import ExecLua

@Suite("Resource files")
struct ResourceFileTests {
    private func problem(_ text: String) -> String? {
        do throws(ResourceProblem) {
            _ = try ResourceFile.parse(Array(text.utf8))
            return nil
        } catch {
            return error.message
        }
    }

    @Test("every field is read")
    func fields() throws {
        let text = """
            {
              "process:ci": {
                "kind": "process",
                "address": "tcp:127.0.0.1:7070",
                "token_file": "/etc/token",
                "container": "ci",
                "env": { "CI": "1", "LANG": "C" },
                "work_dir": "/srv",
                "allowed_commands": ["make", "git *"],
                "grace": "1.5s",
                "keep": true
              },
              "store:cache": { "kind": "store" }
            }
            """
        let resources = try ResourceFile.parse(Array(text.utf8))
        #expect(resources.keys.sorted() == ["process:ci", "process:native", "store:cache"])
        let ci = try #require(resources["process:ci"])
        #expect(ci.address == "tcp:127.0.0.1:7070" && ci.tokenFile == "/etc/token")
        #expect(ci.container == "ci" && ci.environment == ["CI": "1", "LANG": "C"])
        #expect(ci.workingDirectory == "/srv" && ci.graceMS == 1500 && ci.keepsExited)
        #expect(ci.allowedCommands == [CommandRule("make"), CommandRule("git *")])
        #expect(resources["store:cache"]?.kind == "store")
        #expect(resources["process:native"] == Resource())
    }

    @Test(
        "what is wrong is named",
        arguments: [
            ("", "line 1: a value was expected"),
            ("[]", "it must be an object, not a list"),
            ("{\n\"a\": {},\n\"a\": {}}", "line 3: 'a' is there twice"),
            (#"{"a": 1}"#, "'a' must be an object, not a number"),
            (#"{"a": {"adress": ""}}"#, "'a': 'adress' is not known"),
            (#"{"a": {"keep": "yes"}}"#, "'a': 'keep' must be true or false, not a string"),
            (#"{"a": {"env": {"X": 1}}}"#, "'a': 'env': 'X' must be a string, not a number"),
            (#"{"a": {"env": {"X=": ""}}}"#, "'a': 'env': 'X=' can't be the name of a variable"),
            (
                #"{"a": {"allowed_commands": [null]}}"#,
                "one of 'a': 'allowed_commands' must be a string, not null"
            ),
            (#"{"a": {"container": "../x"}}"#, "'a': 'container' may not start with '.' or '-'"),
            (
                #"{"a": {"grace": "soon"}}"#,
                #"'a': 'grace': 'soon' is not a time such as "500ms" or "5s""#
            ),
        ]
    )
    func problems(_ text: String, _ message: String) {
        #expect(problem(text) == message)
    }

    @Test("a file that is not there is named")
    func missing() {
        #expect(throws: ResourceProblem.self) { try ResourceFile.read("/none/such") }
    }
}

@Suite("JSON, as it is read")
struct JSONValueTests {
    @Test("all kinds of values")
    func values() throws {
        let text = #" {"a": [1, -2.5e3, true, false, null], "b": "x\n\u00e9\ud83d\ude00\"\\\/"} "#
        let value = try JSONValue(parsing: Array(text.utf8))
        let expected: JSONValue = .object([
            .init(
                name: "a",
                value: .array([.number(1), .number(-2500), .bool(true), .bool(false), .null]),
            ),
            .init(name: "b", value: .string("x\né😀\"\\/")),
        ])
        #expect(value == expected)
    }

    @Test(
        "what is not JSON is refused",
        arguments: [
            "", "{", "[1,]", "{\"a\":1,}", "{a:1}", "'x'", "01", "1.", ".5", "+1", "1e", "nul",
            "tru", "\"",
            "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\n\"",
            "1 2", "1e999",
            String(repeating: "[", count: 100) + String(repeating: "]", count: 100), "{\"a\" 1}",
            "[1 2]",
        ]
    )
    func refused(_ text: String) {
        #expect(throws: JSONProblem.self) { try JSONValue(parsing: Array(text.utf8)) }
    }

    @Test("bytes that are no text are refused")
    func notText() {
        #expect(throws: JSONProblem.self) { try JSONValue(parsing: [0x22, 0xFF, 0x22]) }
    }
}

@Suite("Allowed commands")
struct CommandRuleTests {
    @Test(
        arguments: [
            ("make", "make", true), ("make", "make test", false), ("make test", "make test", true),
            ("git *", "git", true), ("git *", "git log -n1 --format=%h", true),
            ("git *", "github", false),
            ("git *", "git log; rm x", false), ("git *", "git $(x)", false),
            ("git *", "git 'a'", false),
            ("git *", "git a>b", false), ("git *", "git a\nb", false), ("git *", "git a&", false),
            ("git *", "git *", false), ("git *", "git é", false), ("*", "make", false),
            ("git *", " git", false),
        ]
    )
    func rules(_ rule: String, _ command: String, _ allowed: Bool) {
        #expect(CommandRule(rule).allows(command) == allowed)
    }
}

@Suite("Times")
struct ScriptTimeTests {
    @Test(
        arguments: [
            ("1s", .seconds(1)), ("250ms", .milliseconds(250)), ("1m30s", .seconds(90)),
            ("1.5s", .milliseconds(1500)), ("2h", .seconds(7200)), ("10us", .microseconds(10)),
            ("0s", .zero), ("9000h", nil), ("1", nil), ("s", nil), ("", nil), ("1 s", nil),
            ("-1s", nil),
            ("1.s", nil), (".5s", nil), ("1..5s", nil), ("1S", nil), ("infs", nil), ("0x1s", nil),
        ] as [(String, Duration?)]
    )
    func parsing(_ text: String, _ duration: Duration?) {
        #expect(ScriptTime.parse(text) == duration)
    }
}

@Suite("Resources, as scripts use them", .timeLimit(.minutes(1)))
struct ResourceTests {
    @Test("another server, its container, environment, directory and commands")
    func other() async throws {
        try await Stage.run(.server) { stage in
            let text = """
                {
                  "process:ci": {
                    "address": "unix:\(stage.directory)/socket", "container": "ci", "work_dir": "/usr",
                    "env": { "A": "1", "B": "2" }, "keep": true,
                    "allowed_commands": ["pwd; echo $A $B", "echo *"]
                  },
                  "store:cache": { "kind": "store" },
                  "process:gone": { "address": "unix:/none/such/socket" },
                  "process:secret": { "address": "tcp:127.0.0.1:9", "token_file": "/none/such" }
                }
                """
            let resources = try ResourceFile.parse(Array(text.utf8))
            // The script's own server is an embedded one; `process:ci` is the one beside it.
            let embedded = Stage(form: .embedded, directory: stage.directory, server: nil)
            let outcome = try await embedded.run(
                prelude + """
                    local ci = exec.get("process:ci")
                    local p = ci:exec("pwd; echo $A $B", { env = { B = "3" } })
                    p:start()
                    expect('1: "/usr\\\\\\n1 3\\\\\\n"', all(p:stdout_stream()))
                    expect('1: "ci"', p:info().container_id)
                    local id = p:info().exec_id
                    p:wait()
                    raises("the resource does not allow the command 'rm x'", ci.exec, ci, "rm x")
                    local q = ci:exec("echo plain words")
                    q:start()
                    expect("1: 0", (q:wait()))
                    raises("'store:cache' is not a process executor but a 'store'", exec.get, "store:cache")
                    raises("'process:gone' can't be acquired", exec.get, "process:gone")
                    raises("'process:secret' can't be acquired: can't read the token file", exec.get, "process:secret")

                    -- What was kept can be looked at again.
                    local again = exec.attach("ci", id, "process:ci")
                    expect('1: "/usr\\\\\\n1 3\\\\\\n"', all(again:stdout_stream()))
                    expect("1: 0", (again:wait()))
                    raises("there is no exec ci/nobody", exec.attach, "ci", "nobody", "process:ci")
                    raises("container_id", exec.attach, "../ci", "x")
                    raises("there is no resource 'x'", exec.attach, "a", "b", "x")
                    """,
                arguments: [],
            ) { $0.resources = resources }
            #expect(outcome.end == .returned(0))
            let left = stage.server?.registry.instances().map(\.info) ?? []
            #expect(left.count == 2, "keep = true")
            #expect(left.allSatisfy { $0.containerID == "ci" && $0.exit?.code == 0 })
        }
    }

    @Test("a process that was there is watched, written to, and left alone")
    func attached() async throws {
        try await Stage.run(.server) { stage in
            let client = try ExecClient(address: "unix:\(stage.directory)/socket")
            defer { client.close() }
            let key = try ExecKey(container: "web", exec: "server")
            var command = Command([
                "sh", "-c", "echo up; read line; echo got $line; exec sleep 1000",
            ])
            command.stdin = true
            let session = client.run(key, command)
            defer { session.close() }
            var events = session.events.makeAsyncIterator()
            _ = try await events.next(isolation: nil)
            let outcome = try await stage.run(
                prelude + """
                    local p = exec.attach("web", "server")
                    raises("the process was started already", p.start, p)
                    local out = p:stdout_stream()
                    expect('1: "up\\\\\\n"', out:read())
                    expect("2: true, nil", p:write_stdin("hello\\n"))
                    expect('1: "got hello\\\\\\n"', out:read())
                    expect('2: nil, "the process has no terminal"', p:resize(1, 1))
                    expect("1: true", p:close())
                    expect("1: true", p:close(true))
                    expect('2: nil, "the process is closed"', p:wait())

                    local q = exec.attach("web", "server")
                    expect('1: "up\\\\\\n"', q:stdout_stream():read(3))
                    """
            )
            #expect(outcome.end == .returned(0))
            let info = try await client.wait(key, timeoutMS: 0)
            #expect(info.state == .running, "neither close nor the script's end has ended it")
            let stopped = try await client.stop(key)
            #expect(stopped.exit?.code == 143)
        }
    }

    @Test("several scripts in one process do not know each other")
    func beside() async throws {
        let ends = try await withThrowingTaskGroup(of: ScriptEnd.self) { group in
            for index in 1...4 {
                group.addTask {
                    try await run(
                        .embedded,
                        prelude
                            + "assert(all(start('echo \(index)'):stdout_stream()) == '\(index)\\n') x = \(index)"
                            + " time.sleep('20ms') assert(x == \(index)) return \(index)",
                    ).end
                }
            }
            var ends: [ScriptEnd] = []
            for try await end in group { ends.append(end) }
            return ends
        }
        #expect(
            Set(ends.map { "\($0)" }) == Set((1...4).map { "\(ScriptEnd.returned(Int32($0)))" })
        )
    }
}
