/// The name of one exec: containerID/execID.
///
/// Both parts name directories and are shown in terminals, so they are 1 to 128 characters of
/// `A-Z a-z 0-9 . _ -` and start with neither `.` nor `-`. A key that exists is valid.
public struct ExecKey: Hashable, Sendable, CustomStringConvertible {
    /// The container: a group of execs with one name.
    public let containerID: String
    /// The exec within it.
    public let execID: String

    /// Checks both parts; throws INVALID_ARGUMENT that names the one at fault.
    public init(container containerID: String, exec execID: String) throws(ExecError) {
        try Self.check(containerID, field: "container_id")
        try Self.check(execID, field: "exec_id")
        self.containerID = containerID
        self.execID = execID
    }

    /// containerID/execID.
    public var description: String { "\(containerID)/\(execID)" }

    /// Throws INVALID_ARGUMENT, naming `field`, unless `id` may be a container's or an exec's name.
    public static func check(_ id: String, field: String) throws(ExecError) {
        guard let first = id.utf8.first else {
            throw ExecError(.invalidArgument, "\(field) is empty")
        }
        guard id.utf8.count <= lengthMax else {
            throw ExecError(
                .invalidArgument,
                "\(field) is \(id.utf8.count) bytes long; at most \(lengthMax) are allowed",
            )
        }
        guard first != UInt8(ascii: "."), first != UInt8(ascii: "-") else {
            throw ExecError(.invalidArgument, "\(field) may not start with '.' or '-'")
        }
        guard id.utf8.allSatisfy(isAllowed) else {
            throw ExecError(
                .invalidArgument,
                "\(field) has a character other than A-Z a-z 0-9 . _ -",
            )
        }
    }

    /// The longest ID.
    public static let lengthMax = 128

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "-"):
            true
        default:
            false
        }
    }
}
