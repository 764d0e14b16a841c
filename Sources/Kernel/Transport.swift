/// A connected socket, plain or under TLS. Its loop's thread only, once it is registered there.
///
/// A plain one costs what its socket does. Under TLS, `handshake` comes first; then two things have to
/// be looked after that no event of the socket tells: `hasUnread` and `hasUnsent`.
package struct Transport: ~Copyable {
    /// To be registered with the loop; nothing is read or written here past the transport.
    package let descriptor: Descriptor
    private let channel: TLSChannel?

    /// A plain one.
    package init(_ descriptor: consuming Descriptor) {
        self.descriptor = descriptor
        channel = nil
    }

    /// Under TLS where there is a context. For a client, `host` is what the server's certificate must
    /// name.
    package init(
        _ descriptor: consuming Descriptor,
        _ context: TLSContext?,
        host: String? = nil,
    ) throws(TLSFailure) {
        channel = try context.map { (context) throws(TLSFailure) in
            try TLSChannel(context, over: descriptor, host: host)
        }
        self.descriptor = descriptor
    }

    /// Whether it is under TLS.
    package var isProtected: Bool { channel != nil }

    /// Nothing can be read or written yet.
    package var isHandshaking: Bool { channel?.isHandshaking ?? false }

    /// Goes on with the handshake. What it waits for; nil: it is done.
    package func handshake() throws(TransportFailure) -> Interest? { try channel?.handshake() }

    /// For the log; nil: it is plain.
    package var protection: (cipher: String, inKernel: String)? {
        channel.map { ($0.cipher, $0.inKernel) }
    }

    /// There may be something to read, although the socket does not become readable.
    package var hasUnread: Bool { channel?.hasUnread ?? false }

    /// Bytes that were taken still wait for the socket: it has to be watched for room, and `flush`ed.
    package var hasUnsent: Bool { channel?.hasUnsent ?? false }

    /// Writes what was taken and waits; true: nothing does any more.
    package func flush() throws(TransportFailure) -> Bool { try channel?.flush() ?? true }

    /// Reads what is there. Nil: nothing yet; 0: the end.
    package func read(
        into buffer: UnsafeMutableRawBufferPointer,
    ) throws(TransportFailure) -> Int? {
        if let channel { return try channel.read(into: buffer) }
        do throws(Errno) {
            return try descriptor.read(into: buffer)
        } catch {
            throw .system(error)
        }
    }

    /// Takes as much as it can now; nil: nothing.
    package func write(_ bytes: RawSpan) throws(TransportFailure) -> Int? {
        if let channel { return try channel.write(bytes) }
        do throws(Errno) {
            return try descriptor.write(bytes)
        } catch {
            throw .system(error)
        }
    }

    /// Takes as much of the list as it can now; nil: nothing.
    package func send(_ list: GatherList) throws(TransportFailure) -> Int? {
        if let channel { return try list.send(over: channel) }
        do throws(Errno) {
            return try list.send(to: descriptor)
        } catch {
            throw .system(error)
        }
    }

    /// Says that nothing more comes, where TLS has a word for it. To be closed after that.
    package func sayEnd() { channel?.sayEnd() }

    /// Says that nothing more comes, and closes.
    package consuming func close() { sayEnd() }

    /// One answer in plain text to a peer that does not speak TLS; lost where the socket is full.
    package func answerInPlainText(_ bytes: [UInt8]) { _ = try? descriptor.write(bytes.span.bytes) }
}
