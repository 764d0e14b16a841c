internal import ExecClient
internal import ExecModel
internal import Kernel

/// `execstream ps`: the execs there are.
enum PsCommand: ProgramCommand {
    static let spec = CommandSpec(
        name: "ps",
        summary: "List execs",
        options: [
            .flag("all", short: "a", "those that have exited, too"),
            .value("container", short: "c", "CONTAINER", "only those of this container"),
            .value("label", "K=V", repeats: true, "only those with all these labels"),
        ],
    )

    static func run(_ arguments: Arguments, _ context: Context) async throws(Failure) -> Int32 {
        let container = try arguments.read("container", spec, Values.container)
        let labels = try arguments.pairs("label", spec)
        return try await context.withClient { client throws(Failure) in
            let list = try await reporting { () async throws(ExecError) in
                try await client.list(
                    container: container,
                    labels: labels,
                    runningOnly: !arguments.has("all"),
                )
            }
            if context.isJSON {
                for info in list.execs { try context.console.print(JSON(info)) }
            } else {
                let table = ExecTable.table(list.execs, nowUnixNS: SystemClocks().unixNS)
                try context.console.print(table.text(colour: context.hasColour))
            }
            if list.truncated {
                context.console.complain(
                    "there are more execs than fit into one answer; narrow it down with -c or --label",
                )
            }
            return 0
        }
    }
}

/// Execs as a table made for reading.
enum ExecTable {
    /// One row an exec, in the order given.
    static func table(_ execs: [ExecInfo], nowUnixNS: Int64) -> Table {
        var table = Table([
            .init(title: "EXEC"), .init(title: "STATE"), .init(title: "FOR", isNumber: true),
            .init(title: "CODE", isNumber: true), .init(title: "VIEWERS", isNumber: true),
            .init(title: "BYTES", isNumber: true), .init(title: "COMMAND"),
        ])
        for info in execs { table.add(row(info, nowUnixNS)) }
        return table
    }

    private static func row(_ info: ExecInfo, _ nowUnixNS: Int64) -> [Table.Cell] {
        [
            .init(name(info)),
            .init(info.state.jsonName, style(info.state)),
            .init(age(info, nowUnixNS)),
            .init(
                info.exit.map { "\($0.code)" } ?? "-",
                (info.exit?.code ?? 0) == 0 ? .plain : .red,
            ),
            .init("\(info.viewers)"),
            .init(Amounts.bytes(info.stdoutBytes.saturatingAdd(info.stderrBytes))),
            .init(command(info), .dim),
        ]
    }

    /// How long it has been running, or ran.
    private static func age(_ info: ExecInfo, _ nowUnixNS: Int64) -> String {
        let start = info.startedUnixNS == 0 ? info.createdUnixNS : info.startedUnixNS
        let end = info.exit?.finishedUnixNS ?? nowUnixNS
        let (length, overflow) = end.subtractingReportingOverflow(start)
        // Times of a server's clock may be anything.
        guard !overflow else { return "?" }
        return Amounts.time(seconds: max(0, length / 1_000_000_000))
    }

    private static func command(_ info: ExecInfo) -> String {
        if info.published, info.argv.isEmpty { return "(published)" }
        return info.argv.joined(separator: " ").printable(max: commandMax)
    }

    /// Two names of the longest that are allowed fit; one column of what a server makes up must not
    /// widen all rows without bound.
    private static func name(_ info: ExecInfo) -> String {
        "\(info.containerID)/\(info.execID)".printable(max: 2 * ExecKey.lengthMax + 1)
    }

    private static func style(_ state: ExecState) -> Table.Style {
        switch state {
        case .running: .green
        case .paused, .pending: .yellow
        case .exited, .unspecified: .dim
        }
    }

    private static let commandMax = 60
}
