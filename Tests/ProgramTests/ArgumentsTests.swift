import ExecModel
import Testing

@testable import execstream

@Suite struct ArgumentsTests {
    @Test func `options of run end at its command`() throws {
        let words = ["-c", "ci", "-di", "--env=A=1", "--env", "B=2", "ls", "-l", "--json"]
        let arguments = try Arguments.parse(words, for: RunCommand.spec)
        #expect(arguments.value("container") == "ci")
        #expect(arguments.has("detach") && arguments.has("interactive"))
        #expect(arguments.values("env") == ["A=1", "B=2"])
        #expect(arguments.operands == ["ls", "-l", "--json"])
        #expect(!arguments.has("json"))
    }

    @Test func `two dashes end the options`() throws {
        let run = try Arguments.parse(["--", "-x"], for: RunCommand.spec)
        #expect(run.operands == ["-x"])
        let publish = try Arguments.parse(
            ["ci/1", "--label", "a=b", "--", "make", "--label"],
            for: PublishCommand.spec,
        )
        #expect(publish.operands == ["ci/1"])
        #expect(publish.values("label") == ["a=b"])
        #expect(publish.rest == ["make", "--label"])
    }

    @Test func `a short option takes its value from the same word`() throws {
        let arguments = try Arguments.parse(["-cci", "true"], for: RunCommand.spec)
        #expect(arguments.value("container") == "ci")
    }

    @Test(arguments: [
        (["--nope", "x"], "unknown option '--nope'"),
        (["-z", "x"], "unknown option '-z'"),
        (["--container"], "--container needs a value (CONTAINER)"),
        (["-c"], "-c needs a value (CONTAINER)"),
        (["--detach=yes", "x"], "--detach takes no value"),
        (["-d", "-d", "x"], "--detach was given twice"),
        ([], "run needs COMMAND [ARG]..."),
    ])
    func `what run does not take is named`(words: [String], message: String) {
        #expect(throws: UsageError(message)) {
            try Arguments.parse(words, for: RunCommand.spec)
        }
    }

    @Test func `too many operands are named`() {
        #expect(throws: UsageError("wait does not take 'b/2'")) {
            try Arguments.parse(["a/1", "b/2"], for: WaitCommand.spec)
        }
    }

    @Test func `no command has two options of one name`() {
        for spec in Program.specs {
            let names = spec.allOptions.map(\.name)
            #expect(Set(names).count == names.count, "\(spec.name)")
            let letters = spec.allOptions.compactMap(\.short)
            #expect(Set(letters).count == letters.count, "\(spec.name)")
        }
    }
}

@Suite struct ValuesTests {
    @Test(arguments: [
        ("500ms", 500), ("30s", 30_000), ("5m", 300_000), ("2h", 7_200_000), ("0s", 0),
    ])
    func `durations have a unit`(text: String, milliseconds: UInt64) throws {
        #expect(try Values.durationMS(text) == milliseconds)
    }

    @Test(arguments: ["", "5", "s", "-1s", "1.5s", "1d", "1 s", "99999999999999999999s", "٣s"])
    func `what is no duration is refused`(text: String) {
        #expect(throws: ValueProblem.self) { try Values.durationMS(text) }
    }

    @Test func `no time at all is not the same as none given`() throws {
        #expect(try Values.givenDurationMS("0s") == 1)
        #expect(try Values.givenDurationMS("2ms") == 2)
    }

    @Test(arguments: [("0", 0), ("4096", 4096), ("64K", 65536), ("1M", 1 << 20), ("2G", 2 << 30)])
    func `bytes may have a suffix`(text: String, bytes: UInt64) throws {
        #expect(try Values.bytes(text) == bytes)
    }

    @Test(arguments: ["", "K", "1KB", "-1", "99999999999G"])
    func `what is no number of bytes is refused`(text: String) {
        #expect(throws: ValueProblem.self) { try Values.bytes(text) }
    }

    @Test(arguments: [("2", 2_000), ("0.5", 500), ("1.25", 1_250), ("0.001", 1), ("0", 0)])
    func `thousandths are written as a decimal`(text: String, thousandths: UInt64) throws {
        #expect(try Values.thousandths(text) == thousandths)
    }

    @Test(arguments: ["", ".", "1.", ".5", "-1", "1,5", "1.2345", "one", "1e3", "99999999"])
    func `what is no decimal is refused`(text: String) {
        #expect(throws: ValueProblem.self) { try Values.thousandths(text) }
    }

    @Test(arguments: ["TERM", "SIGTERM", "15", "term", "sigterm"])
    func `a signal has three names`(text: String) throws {
        #expect(try Values.signal(text) == 15)
    }

    @Test(arguments: ["", "0", "65", "NOPE", "SIG", "-9", "+9"])
    func `what is no signal is refused`(text: String) {
        #expect(throws: ValueProblem.self) { try Values.signal(text) }
    }

    @Test func `every number has a name`() {
        #expect(SignalNames.name(1) == "HUP")
        #expect(SignalNames.name(9) == "KILL")
        #expect(SignalNames.name(31) == "SYS")
        #expect(SignalNames.name(40) == "40")
    }

    @Test func `an exec is named by two parts`() throws {
        #expect(try Values.key("ci/42").description == "ci/42")
        for text in ["", "ci", "ci/", "/42", "a/b/c", "../x", "a/-b"] {
            #expect(throws: ValueProblem.self) { try Values.key(text) }
        }
    }

    @Test func `pairs keep everything after the first equals sign`() throws {
        #expect(try Values.pairs(["A=1=2", "B="]) == ["A": "1=2", "B": ""])
        #expect(throws: ValueProblem.self) { try Values.pairs(["=x"]) }
        #expect(throws: ValueProblem.self) { try Values.pairs(["A"]) }
    }

    @Test func `on-disconnect has three forms`() throws {
        #expect(try Values.onDisconnect("keep") == OnDisconnect())
        #expect(try Values.onDisconnect("stop") == OnDisconnect(stop: true))
        #expect(try Values.onDisconnect("stop:30s") == OnDisconnect(stop: true, afterMS: 30_000))
        #expect(throws: ValueProblem.self) { try Values.onDisconnect("stop:") }
        #expect(throws: ValueProblem.self) { try Values.onDisconnect("kill") }
    }
}
