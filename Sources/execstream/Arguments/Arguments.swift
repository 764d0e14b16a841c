/// What was given to a command, checked against its table: names are known, values are there.
struct Arguments: Equatable {
    /// The operands, in order.
    var operands: [String] = []
    /// What followed `--` in a command that takes that apart; nil: there was no `--`.
    var rest: [String]?
    private var given: [String: [String]] = [:]

    /// Whether the option was given.
    func has(_ name: String) -> Bool { given[name] != nil }

    /// The option's value; nil: it was not given.
    func value(_ name: String) -> String? { given[name]?.last }

    /// All values of an option that repeats, in order.
    func values(_ name: String) -> [String] { given[name] ?? [] }

    /// The option's value, read by `parse`; a value it refuses is a usage error that says why.
    func value<Value>(
        _ name: String,
        _ parse: (String) throws(ValueProblem) -> Value,
    ) throws(UsageError) -> Value? {
        guard let text = value(name) else { return nil }
        do {
            return try parse(text)
        } catch {
            throw UsageError("--\(name): \(error.message)")
        }
    }

    /// Checks `words` against the command's table.
    static func parse(_ words: [String], for spec: CommandSpec) throws(UsageError) -> Arguments {
        var result = Arguments()
        var left = words[...]
        while let word = left.popFirst() {
            if word == "--" {
                switch spec.rest {
                case .afterDashes: result.rest = Array(left)
                case .none, .fromFirstOperand: result.operands += left
                }
                break
            }
            if word.hasPrefix("--") {
                try result.takeLong(word.dropFirst(2), spec, &left)
            } else if word.hasPrefix("-"), word.count > 1 {
                try result.takeShort(word.dropFirst(), spec, &left)
            } else if spec.rest == .fromFirstOperand {
                result.operands += [word] + left
                break
            } else {
                result.operands.append(word)
            }
        }
        try result.checkOperandCount(spec)
        return result
    }

    private mutating func takeLong(
        _ word: Substring,
        _ spec: CommandSpec,
        _ left: inout ArraySlice<String>,
    ) throws(UsageError) {
        let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard let option = spec.allOptions.first(where: { $0.name == parts[0] }) else {
            throw UsageError("unknown option '--\(parts[0])'")
        }
        guard let placeholder = option.placeholder else {
            if parts.count > 1 { throw UsageError("--\(option.name) takes no value") }
            return try add("", to: option)
        }
        if parts.count > 1 { return try add(String(parts[1]), to: option) }
        guard let value = left.popFirst() else {
            throw UsageError("--\(option.name) needs a value (\(placeholder))")
        }
        try add(value, to: option)
    }

    /// `-d`, `-di`, `-c value`, `-cvalue`.
    private mutating func takeShort(
        _ word: Substring,
        _ spec: CommandSpec,
        _ left: inout ArraySlice<String>,
    ) throws(UsageError) {
        var letters = word
        while let letter = letters.popFirst() {
            guard let option = spec.allOptions.first(where: { $0.short == letter }) else {
                throw UsageError("unknown option '-\(letter)'")
            }
            guard let placeholder = option.placeholder else {
                try add("", to: option)
                continue
            }
            if !letters.isEmpty { return try add(String(letters), to: option) }
            guard let value = left.popFirst() else {
                throw UsageError("-\(letter) needs a value (\(placeholder))")
            }
            return try add(value, to: option)
        }
    }

    private mutating func add(_ value: String, to option: OptionSpec) throws(UsageError) {
        if given[option.name] != nil, !option.repeats {
            throw UsageError("--\(option.name) was given twice")
        }
        given[option.name, default: []].append(value)
    }

    private func checkOperandCount(_ spec: CommandSpec) throws(UsageError) {
        if operands.count < spec.operandCount.lowerBound {
            throw UsageError("\(spec.name) needs \(spec.operandsUsage)")
        }
        if operands.count > spec.operandCount.upperBound {
            let surplus = operands[spec.operandCount.upperBound]
            throw UsageError("\(spec.name) does not take '\(surplus)'")
        }
    }
}

/// The command line is wrong; the program ends with 2.
struct UsageError: Error, Equatable {
    /// What is wrong, in one line.
    var message: String

    init(_ message: String) { self.message = message }
}

/// A value can't be read; which option's it was is for the caller to say.
struct ValueProblem: Error, Equatable {
    /// What is wrong with it, in one line.
    var message: String

    init(_ message: String) { self.message = message }
}
