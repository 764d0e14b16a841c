internal import ExecModel

/// Writes the same bytes to two sinks: the primary always gets everything, and its failure is the
/// caller's; the secondary comes after it, and can neither block nor fail the writer.
///
/// With an exec's `stdout` or `stderr` as the secondary, an embedder keeps its own file of what its
/// container wrote and lets any number of viewers watch: an `ExecWriter` never waits for a viewer.
public struct TeeWriter: ByteSink {
    private let primary: any ByteSink
    private let secondary: any ByteSink

    /// Joins the two sinks.
    public init(primary: any ByteSink, secondary: any ByteSink) {
        self.primary = primary
        self.secondary = secondary
    }

    /// Writes to the primary, then to the secondary. Throws what the primary throws; then the
    /// secondary has not been given these bytes.
    public func write(_ bytes: RawSpan) throws(ExecError) {
        try primary.write(bytes)
        // A secondary that fails has its own way to say so (an exec's is its exit's message); the
        // caller's bytes are safe in the primary.
        try? secondary.write(bytes)
    }
}
