/// What to run, and how. Two equal commands are the same command: a repeated start joins.
public struct Command: Hashable, Sendable {
    /// The program and its arguments; never empty in a valid command.
    public var argv: [String]
    /// Set on top of the server's base environment, or alone with `clearEnvironment`.
    public var environment: [String: String] = [:]
    /// Start from an empty environment.
    public var clearEnvironment = false
    /// Where to run; empty: the server's own directory.
    public var workingDirectory = ""
    /// Present: run on a pseudo-terminal.
    public var terminal: Terminal?
    /// Whether stdin is open; otherwise it is `/dev/null`.
    public var stdin = false
    /// After this long the exec is stopped, in milliseconds; 0: never.
    public var timeoutMS: UInt64 = 0
    /// Between the stop signal and SIGKILL, in milliseconds; 0: the server's default.
    public var graceMS: UInt64 = 0
    /// The polite signal; 0: SIGTERM.
    public var stopSignal: Int32 = 0
    /// How long output may outlive the process, in milliseconds; 0: the server's default.
    public var drainMS: UInt64 = 0
    /// `name`, `uid` or `uid:gid`; empty: the server's own.
    public var user = ""
    /// Bounds on what it may consume.
    public var limits = Limits()
    /// For finding it again.
    public var labels: [String: String] = [:]

    /// The most labels of an exec.
    public static let labelsMax = 1_024
    /// The most arguments of a command, its program included.
    public static let argumentsMax = 131_072
    /// The most variables that a command may set.
    public static let variablesMax = 16_384

    /// Makes a command with every option at its default.
    public init(_ argv: [String]) { self.argv = argv }
}

/// A pseudo-terminal to run on.
public struct Terminal: Hashable, Sendable {
    /// Its size at the start; of what is 0, the standard's.
    public var size: WindowSize
    /// `$TERM`, unless the command's environment has one; empty: `xterm-256color`.
    public var term: String

    /// Describes a terminal.
    public init(size: WindowSize, term: String = "") {
        self.size = size
        self.term = term
    }
}

/// A terminal's size in characters: 65,535 at most. A terminal has at least one of each; in a
/// request, 0 leaves that side as it is.
public struct WindowSize: Hashable, Sendable {
    /// Lines.
    public var rows: UInt32
    /// Characters in a line.
    public var columns: UInt32

    /// What a terminal has if nobody says otherwise.
    public static let standard = WindowSize(rows: 24, columns: 80)

    /// Makes a size.
    public init(rows: UInt32, columns: UInt32) {
        self.rows = rows
        self.columns = columns
    }

    /// This size, with what is 0 in it taken from `other`.
    package func filled(from other: WindowSize) -> WindowSize {
        WindowSize(
            rows: rows == 0 ? other.rows : rows,
            columns: columns == 0 ? other.columns : columns,
        )
    }

    /// Throws INVALID_ARGUMENT that names the side which no terminal can have.
    package func check(_ field: String) throws(ExecError) {
        for (name, value) in [("rows", rows), ("columns", columns)] where value > UInt16.max {
            throw ExecError(
                .invalidArgument,
                "\(field).\(name) is \(value); a terminal has at most \(UInt16.max)",
            )
        }
    }
}

/// Bounds on what an exec may consume; 0: none.
public struct Limits: Hashable, Sendable {
    /// What its log may take of the disk, in bytes; 1 MiB is the least. The oldest output goes first.
    public var logBytesMax: UInt64 = 0
    /// Memory, in bytes.
    public var memoryBytesMax: UInt64 = 0
    /// Processes and threads.
    public var pidsMax: UInt32 = 0
    /// Processor time per second; 1000 is one core.
    public var cpuMillis: UInt64 = 0
    /// Open files per process.
    public var openFilesMax: UInt64 = 0

    /// No limits.
    public init() {}
}

/// What becomes of an exec whose clients have all gone.
public struct OnDisconnect: Hashable, Sendable {
    /// False: it goes on. True: it is stopped.
    public var stop: Bool
    /// Only if nobody has attached for this long, in milliseconds.
    public var afterMS: UInt64

    /// The default is to keep it.
    public init(stop: Bool = false, afterMS: UInt64 = 0) {
        self.stop = stop
        self.afterMS = afterMS
    }
}
