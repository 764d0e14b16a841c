/// The help texts, made from the commands' tables.
enum HelpText {
    /// All commands, a line each.
    static func overview(_ specs: [CommandSpec]) -> String {
        let width = specs.map(\.name.count).max() ?? 0
        let lines = specs.map { "  \(padded($0.name, width))  \($0.summary)" }
        return """
            Runs commands, lets any number of people watch, and tells truthfully how they ended.

            Usage: execstream COMMAND [OPTION]... [ARG]...

            \(lines.joined(separator: "\n"))

            More on one of them: execstream help COMMAND

            """
    }

    /// One command.
    static func command(_ spec: CommandSpec) -> String {
        var text = "Usage: \(usage(spec))\n\n\(spec.summary)\n"
        for paragraph in spec.details { text += "\n\(paragraph)\n" }
        text += options("Options", spec.options)
        if spec.isClient { text += options("For every client command", CommandSpec.clientOptions) }
        return text
    }

    /// The usage line.
    static func usage(_ spec: CommandSpec) -> String {
        let options = spec.allOptions.isEmpty ? "" : " [OPTION]..."
        let operands = spec.operandsUsage.isEmpty ? "" : " \(spec.operandsUsage)"
        let rest = spec.rest == .afterDashes ? " [-- COMMAND [ARG]...]" : ""
        return "execstream \(spec.name)\(options)\(operands)\(rest)"
    }

    private static func options(_ title: String, _ options: [OptionSpec]) -> String {
        guard !options.isEmpty else { return "" }
        let names = options.map(name)
        let width = names.map(\.count).max() ?? 0
        let lines = zip(names, options).map { "  \(padded($0, width))  \($1.help)" }
        return "\n\(title):\n\(lines.joined(separator: "\n"))\n"
    }

    private static func name(_ option: OptionSpec) -> String {
        let short = option.short.map { "-\($0), " } ?? "    "
        let value = option.placeholder.map { " \($0)" } ?? ""
        return "\(short)--\(option.name)\(value)\(option.repeats ? "..." : "")"
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
