import ExecLua
import Kernel
import Testing

/// What is shown to people works as it is shown, in both forms.
@Suite("Examples", .timeLimit(.minutes(2)))
struct ExampleTests {
    @Test(
        "Examples/lua",
        arguments: Form.allCases,
        try Files.list("\(root)/Examples/lua").filter { $0.hasSuffix(".lua") }.sorted(),
    )
    func example(_ form: Form, _ name: String) async throws {
        try await Stage.run(form) { stage in
            let reports = Reports()
            let script = stage.script(at: "\(root)/Examples/lua/\(name)", reports: reports)
            let outcome = stage.outcome(await script.run(), reports)
            #expect(outcome.end == .returned(0))
            #expect(outcome.reports == [])
            #expect(outcome.left.isEmpty)
        }
    }

    @Test("Docs/lua.md", arguments: Form.allCases, try blocks("lua"))
    func documented(_ form: Form, _ block: Block) async throws {
        let outcome = try await run(form, block.text)
        #expect(outcome.end == .returned(0), "the example at line \(block.line)")
        #expect(outcome.reports == [])
        #expect(outcome.left.isEmpty)
    }

    @Test("the resource file in Docs/lua.md", arguments: try blocks("json"))
    func resources(_ block: Block) throws {
        let resources = try ResourceFile.parse(Array(block.text.utf8))
        #expect(resources["process:ci"]?.allowedCommands?.count == 3)
        #expect(resources["process:native"]?.container == "scratch")
    }

    @Test("there are enough of them")
    func enough() throws {
        #expect(try blocks("lua").count >= 10)
        #expect(try Files.list("\(root)/Examples/lua").count >= 7)
    }
}

/// A piece of code on the page.
struct Block: Sendable, CustomStringConvertible {
    var line: Int
    var text: String

    var description: String { "line \(line)" }
}

/// The code of one language on the page.
private func blocks(_ language: String) throws -> [Block] {
    let page = String(
        decoding: try Files.readSmall("\(root)/Docs/lua.md", max: 1 << 20),
        as: UTF8.self
    )
    var blocks: [Block] = []
    var block: Block?
    for (index, line) in page.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
    {
        if line == "```\(language)" {
            block = Block(line: index + 1, text: "")
        } else if line == "```" {
            if let block { blocks.append(block) }
            block = nil
        } else {
            block?.text += line + "\n"
        }
    }
    return blocks
}

/// The root of the package.
private let root = String(#filePath.dropLast("/Tests/LuaTests/ExampleTests.swift".count))
