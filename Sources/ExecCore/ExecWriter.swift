internal import ExecModel

/// Feeds one output stream of an exec that somebody else runs. Never waits for a viewer.
///
/// What is written after the exit was told is kept in the log's raw file, and shown to nobody. Once the
/// exec is forgotten it is dropped.
public struct ExecWriter: ByteSink {
    let instance: ExecInstance
    let stream: ExecStream

    /// Appends `bytes`: to the log file first, then for all viewers. Never throws: a log that can't
    /// be written is told in the exit's message, and the viewers go on from memory.
    public func write(_ bytes: RawSpan) {
        instance.append(bytes, as: stream)
    }
}
