public import ExecModel

/// What a session tells its client, in the order in which it happened.
///
/// `ready` comes first and once. `exit` comes last, after the last byte of output; a view that does
/// not follow, of an exec that still runs, ends without one.
public enum SessionEvent: Hashable, Sendable {
    /// The session stands.
    case ready(Ready)
    /// One chunk of output. None is missing between two of them but for what a `gap` announces.
    case output(Output)
    /// Chunks this session will not get, because its view skips them or they were trimmed.
    case gap(Gap)
    /// The process has ended; what it left in its pipes is still being drained.
    case ended(Ended)
    /// The exec's state has changed. Only the newest of several that wait is kept.
    case state(StateChange)
    /// Somebody, this session perhaps, has resized the exec's terminal to this; or it was resized while
    /// the connection was away. Only the newest of several that wait is kept. What it was at first is in
    /// `ready`.
    case resized(WindowSize)
    /// The connection broke and is back. Of the output nothing is lost or doubled.
    case resumed(Resumption)
    /// How it ended: the truth, checked against the output that came.
    case exit(Exit)

    /// How things stand as a session begins.
    public struct Ready: Hashable, Sendable {
        /// The exec.
        public var info: ExecInfo
        /// It existed already.
        public var joined: Bool
        /// The oldest chunk that can be replayed; 0: none yet.
        public var firstSequence: UInt64
        /// The newest chunk; 0: none yet.
        public var lastSequence: UInt64

        /// Makes the answer to a start or an attach.
        public init(info: ExecInfo, joined: Bool, firstSequence: UInt64, lastSequence: UInt64) {
            self.info = info
            self.joined = joined
            self.firstSequence = firstSequence
            self.lastSequence = lastSequence
        }
    }

    /// One chunk of output.
    public struct Output: Hashable, Sendable {
        /// Its number, across both streams, from 1.
        public var sequence: UInt64
        /// Of its first byte, in its own stream.
        public var offset: UInt64
        /// When it was read from the exec, in nanoseconds of the Unix clock.
        public var unixNS: Int64
        /// It was logged before this session began.
        public var replay: Bool
        /// Which stream it is of.
        public var stream: ExecStream
        /// What was written.
        public var bytes: [UInt8]

        /// Makes a chunk.
        public init(
            sequence: UInt64,
            offset: UInt64,
            unixNS: Int64,
            replay: Bool,
            stream: ExecStream,
            bytes: [UInt8],
        ) {
            self.sequence = sequence
            self.offset = offset
            self.unixNS = unixNS
            self.replay = replay
            self.stream = stream
            self.bytes = bytes
        }
    }

    /// A change of the exec's state.
    public struct StateChange: Hashable, Sendable {
        /// What it is now.
        public var state: ExecState
        /// Since when, in nanoseconds of the Unix clock.
        public var unixNS: Int64

        /// Makes a change.
        public init(state: ExecState, unixNS: Int64) {
            self.state = state
            self.unixNS = unixNS
        }
    }

    /// A session that goes on after its connection broke.
    public struct Resumption: Hashable, Sendable {
        /// Stdin was on its way when the connection broke; how much of it arrived can't be known.
        public var stdinUncertain: Bool

        /// Makes a resumption.
        public init(stdinUncertain: Bool) { self.stdinUncertain = stdinUncertain }
    }
}
