internal import ExecModel

/// What becomes of one call, told on the loop's thread.
///
/// Of `response`, `ended`, `failed` and `lost` exactly one comes, and nothing after it; none comes
/// after the call was abandoned.
protocol CallHandler: AnyObject {
    /// The request is on its way: messages may follow it.
    func began(_ call: Call)
    /// One message of the stream; lent for the time of the call.
    func message(_ payload: RawSpan)
    /// The connection has room again for messages of streams.
    func hasRoom()
    /// The answer, with status OK; lent for the time of the call.
    func response(_ payload: [UInt8])
    /// The server's stream is complete.
    func ended()
    /// The server has refused the call, or answered against the rules.
    func failed(_ error: ExecError)
    /// The connection broke, or none could be made: whether the server did anything is not known,
    /// unless `began` did not come.
    func lost(_ error: ExecError)
}

extension CallHandler {
    func began(_ call: Call) {}
    func message(_ payload: RawSpan) {}
    func hasRoom() {}
    func response(_ payload: [UInt8]) {}
    func ended() {}
}
