import ExecModel
import Testing

@testable import execstream

@Suite struct TextTests {
    @Test func `JSON escapes what it must`() {
        let text = "a\"b\\c\n\r\t\u{0}\u{1B}\u{7F}\u{9F}\u{2028}é😀/"
        let expected = #""a\"b\\c\n\r\t\u0000\u001b\u007f\u009f\u2028é😀/""#
        #expect(JSON.string(text).text == expected)
    }

    @Test func `JSON keeps the order of members and all of 64 bits`() {
        let json: JSON = .object([
            "z": .unsigned(.max), "a": .int(Int64.min), "n": .null, "b": true,
            "l": .array(["x", .number(1.5), .number(.infinity)]),
            "o": .object(["b": "2", "a": "1"]),
        ])
        #expect(
            json.text == #"{"z":18446744073709551615,"a":-9223372036854775808,"n":null,"b":true,"#
                + #""l":["x",1.5,null],"o":{"a":"1","b":"2"}}"#,
        )
    }

    @Test func `members can be put in front`() {
        #expect(
            JSON.object(["a": true]).preceded(by: ["e": "x"]).text
                == #"{"e":"x","a":true}"#
        )
    }

    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
    ])
    func `base64 is that of RFC 4648`(text: String, encoded: String) {
        #expect(Base64.encode(Array(text.utf8)) == encoded)
    }

    @Test func `base64 reaches its whole alphabet`() {
        #expect(Base64.encode([0xFB, 0xFF, 0xBF]) == "+/+/")
    }

    @Test func `what acts on a terminal is shown instead`() {
        #expect("plain é😀".printable == "plain é😀")
        #expect("a\u{1B}[31mb\n\u{202E}".printable == "a\\u{1b}[31mb\\n\\u{202e}")
    }

    /// Bidirectional controls, zero-width characters, joiners, fillers, tags, C1, and ends of lines.
    private static let invisible: [Unicode.Scalar] =
        (0x202A...0x202E).compactMap(Unicode.Scalar.init)
        + (0x2066...0x2069).compactMap(Unicode.Scalar.init)
        + (0x80...0x9F).compactMap(Unicode.Scalar.init)
        + [
            "\u{200B}", "\u{200C}", "\u{200D}", "\u{200E}", "\u{200F}", "\u{061C}", "\u{2060}",
            "\u{FEFF}", "\u{00AD}", "\u{2028}", "\u{2029}", "\u{3164}", "\u{115F}", "\u{180E}",
            "\u{E0001}", "\u{E0041}", "\u{FFF9}", "\u{7F}", "\u{0}",
        ]

    @Test func `no invisible character reaches a terminal, by JSON or by a table`() {
        for scalar in Self.invisible {
            let text = "a\(scalar)b"
            let json = JSON.string(text).text
            #expect(!json.unicodeScalars.contains(scalar), "U+\(String(scalar.value, radix: 16))")
            #expect(!text.printable.unicodeScalars.contains(scalar))
        }
        #expect(JSON.string("\u{202E}\u{E0041}").text == #""\u202e\udb40\udc41""#)
        // What only chooses a form, and what is seen, stays.
        #expect(JSON.string("❤\u{FE0F}é日").text == "\"❤\u{FE0F}é日\"")
    }

    @Test(
        arguments: [
            (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (3500, "3.4 KiB"),
            (12_582_912, "12 MiB"), (UInt64.max, "16 EiB"),
        ] as [(UInt64, String)]
    )
    func `bytes are short`(count: UInt64, text: String) {
        #expect(Amounts.bytes(count) == text)
    }

    @Test(
        arguments: [
            (0, "0s"), (59, "59s"), (60, "1m"), (185, "3m 5s"), (7800, "2h 10m"), (7230, "2h"),
            (356_405, "4d 3h"),
        ] as [(Int64, String)]
    )
    func `times have two parts at most`(seconds: Int64, text: String) {
        #expect(Amounts.time(seconds: seconds) == text)
    }

    @Test(arguments: [
        (Int64(0), "1970-01-01T00:00:00.000000Z"),
        (951_782_400_000_001_999, "2000-02-29T00:00:00.000001Z"),
        (1_735_689_599_999_999_999, "2024-12-31T23:59:59.999999Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000000Z"),
    ])
    func `timestamps are those of the calendar`(unixNS: Int64, text: String) {
        #expect(Timestamp.text(unixNS: unixNS) == text)
    }

    @Test func `each line has one stamp, wherever the chunks end`() {
        var stamper = LineStamper()
        let stamp = "1970-01-01T00:00:00.000000Z "
        var bytes = stamper.stamped(Array("a\nb".utf8), unixNS: 0)
        bytes += stamper.stamped(Array("c\n\n".utf8), unixNS: 1_000_000)
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == "\(stamp)a\n\(stamp)bc\n1970-01-01T00:00:00.001000Z \n",
        )
    }

    @Test func `a table is aligned, and in colour only where asked for`() {
        var table = Table([
            .init(title: "NAME"), .init(title: "N", isNumber: true), .init(title: "X"),
        ])
        table.add([.init("a", .green), .init("12"), .init("x")])
        table.add([.init("long"), .init("3"), .init("")])
        #expect(table.text(colour: false) == "NAME   N  X\na     12  x\nlong   3  \n")
        #expect(table.text(colour: true).contains("\u{1B}[32ma\u{1B}[0m     12  x\n"))
    }

    @Test(arguments: [
        ("/usr/bin/make", "make-"), ("-ls", "ls-"), ("..", "exec-"), ("", "exec-"), ("a b", "a_b-"),
        ("é", "_-"),
    ])
    func `an exec is named after its command`(argv0: String, prefix: String) throws {
        var generator = SystemRandomNumberGenerator()
        let name = ExecNames.name(forCommand: argv0, using: &generator)
        #expect(name.hasPrefix(prefix) && name.count == prefix.count + 6)
        _ = try Values.container(name)
    }
}

@Suite struct DefaultsTests {
    @Test func `root keeps its state in var lib`() {
        let defaults = Defaults(environment: ["HOME": "/root"], isRoot: true)
        #expect(defaults.stateDirectory == "/var/lib/execstream")
        #expect(defaults.clientAddress == "unix:/var/lib/execstream/execstream.sock")
    }

    @Test func `XDG directories come first`() {
        let environment = ["HOME": "/h", "XDG_STATE_HOME": "/s/", "XDG_RUNTIME_DIR": "/run/user/1"]
        for isRoot in [true, false] {
            let defaults = Defaults(environment: environment, isRoot: isRoot)
            #expect(defaults.stateDirectory == "/s/execstream")
            #expect(defaults.clientAddress == "unix:/run/user/1/execstream.sock")
            #expect(
                defaults.listenAddress(stateDirectory: "/x") == "unix:/run/user/1/execstream.sock"
            )
        }
    }

    @Test func `without them the state is below HOME`() {
        let defaults = Defaults(
            environment: ["HOME": "/h", "XDG_STATE_HOME": "rel"],
            isRoot: false
        )
        #expect(defaults.stateDirectory == "/h/.local/state/execstream")
        #expect(defaults.clientAddress == "unix:/h/.local/state/execstream/execstream.sock")
        #expect(Defaults(environment: [:], isRoot: false).clientAddress == nil)
    }

    @Test func `the environment names the server`() {
        let environment = ["EXECSTREAM_ADDRESS": "tcp:h:1", "XDG_RUNTIME_DIR": "/r"]
        #expect(Defaults(environment: environment, isRoot: false).clientAddress == "tcp:h:1")
    }
}
