internal import ExecModel

@testable internal import execstream

/// The command line's parser, and what reads the values of options; the words end in line ends.
enum CommandLineTarget {
    static func run(_ input: Input) -> Int32 {
        let text = String(decoding: input.rest, as: UTF8.self)
        let words = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        _ = Program.blockedSignals(for: words)
        let rest = Array(words.dropFirst())
        guard let spec = Program.specs.first(where: { $0.name == words.first }) else {
            for word in words { read(word) }
            return 0
        }
        guard let arguments = try? Arguments.parse(rest, for: spec) else { return 0 }
        check(
            spec.operandCount.contains(arguments.operands.count),
            "there are more or fewer operands than the command takes",
        )
        for option in spec.allOptions {
            let values = arguments.values(option.name)
            check(arguments.has(option.name) != values.isEmpty, "an option is there without value")
            check(option.repeats || values.count <= 1, "an option is there twice")
            for value in values { read(value) }
        }
        for operand in arguments.operands { read(operand) }
        build(spec, arguments)
        return 0
    }

    /// Reads a word as everything that a word can be.
    private static func read(_ word: String) {
        if let milliseconds = try? Values.durationMS(word) {
            check(milliseconds <= UInt64(Int64.max) / 1_000_000, "a duration overflows")
        }
        _ = try? Values.bytes(word)
        _ = try? Values.number(word)
        _ = try? Values.thousandths(word)
        if let key = try? Values.key(word) {
            check("\(key.containerID)/\(key.execID)" == word, "a key is another than was given")
        }
        _ = try? Values.container(word)
        _ = try? Values.pairs([word])
        _ = try? Values.onDisconnect(word)
        _ = try? Values.slowPolicy(word)
        if let signal = try? Values.signal(word) {
            check((1...64).contains(signal), "a signal has no number")
        }
    }

    private static func build(_ spec: CommandSpec, _ arguments: Arguments) {
        let context = Context(environment: [:], isRoot: true)
        switch spec.name {
        case ServeCommand.spec.name:
            _ = try? ServeSettings(arguments, context)
        case RunCommand.spec.name:
            _ = try? RunCommand.key(arguments)
            _ = try? RunCommand.command(arguments, on: nil, context)
        default: break
        }
    }
}
