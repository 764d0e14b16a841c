/// What one command of the program takes: the table the parser and the help text are made from.
struct CommandSpec: Sendable {
    /// What is typed after `execstream`.
    let name: String
    /// What it does, in one line.
    let summary: String
    /// Its operands as the usage line shows them, e.g. `C/E SIGNAL`.
    var operandsUsage = ""
    /// How many operands it takes.
    var operandCount: ClosedRange<Int> = 0...0
    /// What may follow `--`, beside the operands.
    var rest: Rest = .none
    /// Its own options, without the common ones.
    var options: [OptionSpec] = []
    /// Whether it calls a server, and so takes the common options.
    var isClient = true
    /// Paragraphs for `execstream help NAME`.
    var details: [String] = []

    /// All its options: its own, then the common ones.
    var allOptions: [OptionSpec] { options + (isClient ? Self.clientOptions : []) }

    /// What is taken as it stands, options and all.
    enum Rest: Sendable {
        /// Nothing: `--` only says that no more options follow.
        case none
        /// Everything from the first operand on: `run ls -l`.
        case fromFirstOperand
        /// Everything after `--`: `publish C/E -- make -j4`.
        case afterDashes
    }

    /// What every client command takes.
    static let clientOptions: [OptionSpec] =
        [
            .value(
                "address",
                "ADDR",
                "the server: unix:PATH or tcp:HOST:PORT ($EXECSTREAM_ADDRESS)"
            ),
            .value("token-file", "FILE", "the file with the server's token ($EXECSTREAM_TOKEN)"),
            .flag("json", "one JSON object a line, for programs"),
        ] + tlsOptions

    /// How a connection to a server on TCP is made safe. One of the `tls` ones is enough to turn TLS on.
    static let tlsOptions: [OptionSpec] = [
        .flag("tls", "TLS on TCP, with the system's CAs ($EXECSTREAM_TLS)"),
        .value("tls-ca", "FILE", "TLS on TCP, with these CAs, in PEM ($EXECSTREAM_TLS_CA)"),
        .value("tls-cert", "FILE", "the client's certificate ($EXECSTREAM_TLS_CERT)"),
        .value("tls-key", "FILE", "its key ($EXECSTREAM_TLS_KEY)"),
        .flag("insecure", "send the token over plain TCP to other than loopback addresses"),
    ]
}

/// One option of a command.
struct OptionSpec: Sendable {
    /// The long name, without the dashes.
    let name: String
    /// The short name, without the dash.
    let short: Character?
    /// What stands for its value in the help text; nil: it takes none.
    let placeholder: String?
    /// Whether it may be given more than once.
    let repeats: Bool
    /// What it does, in a line.
    let help: String

    /// An option that is there or not.
    static func flag(_ name: String, short: Character? = nil, _ help: String) -> OptionSpec {
        OptionSpec(name: name, short: short, placeholder: nil, repeats: false, help: help)
    }

    /// An option with a value.
    static func value(
        _ name: String,
        short: Character? = nil,
        _ placeholder: String,
        repeats: Bool = false,
        _ help: String,
    ) -> OptionSpec {
        OptionSpec(
            name: name,
            short: short,
            placeholder: placeholder,
            repeats: repeats,
            help: help,
        )
    }
}
