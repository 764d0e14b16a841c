/// What went wrong, as the callers of every product see it: a code, a sentence, and the cause.
///
/// The codes are gRPC's. The message says what to do about it where there is something to do; it
/// names the field and its problem, and never holds output, arguments or environment.
public struct ExecError: Error, Sendable, CustomStringConvertible {
    /// The kind of the failure.
    public var code: Code
    /// One sentence for people.
    public var message: String
    /// The error underneath, where there is one.
    public var cause: (any Error)?

    /// Makes an error.
    public init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    /// Code, message and cause, in one line.
    public var description: String {
        guard let cause else { return "\(code): \(message)" }
        return "\(code): \(message) (\(cause))"
    }

    /// A gRPC status code. Open: a newer server may answer with a code this library has no name for.
    public struct Code: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
        /// The number on the wire.
        public let rawValue: Int32

        /// Any number: one without a name is a newer server's.
        public init(rawValue: Int32) { self.rawValue = rawValue }

        /// Not an error.
        public static let ok = Code(rawValue: 0)
        /// The caller gave up.
        public static let cancelled = Code(rawValue: 1)
        /// Nothing more is known.
        public static let unknown = Code(rawValue: 2)
        /// The request itself is wrong; sending it again will not help.
        public static let invalidArgument = Code(rawValue: 3)
        /// The time allowed has passed.
        public static let deadlineExceeded = Code(rawValue: 4)
        /// There is no such container or exec (any more).
        public static let notFound = Code(rawValue: 5)
        /// There is one of that name already, and it is another.
        public static let alreadyExists = Code(rawValue: 6)
        /// Known, and not allowed.
        public static let permissionDenied = Code(rawValue: 7)
        /// A bound was reached.
        public static let resourceExhausted = Code(rawValue: 8)
        /// Not possible in the state things are in.
        public static let failedPrecondition = Code(rawValue: 9)
        /// Broken off by something that happened at the same time.
        public static let aborted = Code(rawValue: 10)
        /// Past the end.
        public static let outOfRange = Code(rawValue: 11)
        /// This server does not do that.
        public static let unimplemented = Code(rawValue: 12)
        /// A bug here.
        public static let internalError = Code(rawValue: 13)
        /// The server can't be reached now; a retry may help.
        public static let unavailable = Code(rawValue: 14)
        /// Bytes are missing that should be there.
        public static let dataLoss = Code(rawValue: 15)
        /// Who is calling is not known.
        public static let unauthenticated = Code(rawValue: 16)

        private static let names = [
            "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
            "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
            "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
            "UNAUTHENTICATED",
        ]

        /// gRPC's name.
        public var description: String {
            Self.names.indices.contains(Int(rawValue))
                ? Self.names[Int(rawValue)] : "CODE_\(rawValue)"
        }
    }
}
