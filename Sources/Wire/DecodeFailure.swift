package import ExecModel

/// A peer's bytes are not the message they should be.
///
/// It names the message, or the field by its path, and never what the field holds.
package struct DecodeFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The message or the field: "SessionRequest", "Start.command.argv[1]".
    package var place: String
    /// What is wrong with it: "does not parse".
    package var problem: String

    /// One sentence for people.
    package var message: String { "\(place) \(problem)" }

    /// What the peer is told.
    package var execError: ExecError { ExecError(.invalidArgument, message) }

    package var description: String { message }

    init(_ place: String, _ problem: String) {
        self.place = place
        self.problem = problem
    }

    /// Nothing that this side knows is set in the message: a newer peer may have sent it. A client
    /// skips it; a server refuses it.
    package var isUnknownMessage: Bool { problem == Self.unset }

    static let unset = "holds nothing that is known here"

    /// The same failure, seen from one level further out.
    func inside(_ outer: String) -> DecodeFailure {
        DecodeFailure(place.isEmpty ? outer : "\(outer).\(place)", problem)
    }
}

/// Runs `body`; a failure in it is told as one inside `place`.
func within<Value>(
    _ place: @autoclosure () -> String,
    _ body: () throws(DecodeFailure) -> Value,
) throws(DecodeFailure) -> Value {
    do { return try body() } catch { throw error.inside(place()) }
}
