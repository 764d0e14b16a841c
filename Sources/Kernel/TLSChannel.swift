internal import COpenSSL
internal import Glibc

/// One connection's TLS, over a non-blocking socket that somebody else owns and closes later. One
/// thread at a time.
///
/// Bounded by one record that the socket has not taken yet, what OpenSSL has read ahead (64 KiB), and
/// its limits for what a handshake may say.
final class TLSChannel {
    private let ssl: OpaquePointer
    private(set) var isHandshaking = true
    /// Taken, and not written yet. Counts as sent; OpenSSL wants to see it again before anything else.
    private var unsent: TLSRecord?
    /// For single pieces; who writes a list has one of its own.
    private var spareRecord: TLSRecord?
    /// The last read ended before the socket was empty: no event may tell of what OpenSSL still has.
    private(set) var hasUnread = false
    /// What is to be told when all that came before it has been read.
    private var readFailure: TransportFailure?
    private var isBroken = false
    /// Handshake messages since the last read began; where OpenSSL finds it.
    private let messages = UnsafeMutablePointer<Int>.allocate(capacity: 1)

    /// OpenSSL reads on for as long as there are some, and each has it make new keys: a peer that sends
    /// nothing else would keep the thread.
    private static let messagesMax = 32
    /// Records that one read takes, since they may be of one byte each.
    private static let recordsMax = 64

    /// Over `socket`, which outlives this. A client checks that the certificate names `host`, a name
    /// or an address.
    init(
        _ context: TLSContext,
        over socket: borrowing Descriptor,
        host: String?,
    ) throws(TLSFailure) {
        ERR_clear_error()
        guard let ssl = SSL_new(context.raw) else {
            throw TLSFailure(message: OpenSSLErrors.take())
        }
        self.ssl = ssl
        messages.initialize(to: 0)
        eo_set_message_argument(ssl, messages)
        guard SSL_set_fd(ssl, socket.number) == 1 else {
            throw TLSFailure(message: OpenSSLErrors.take())
        }
        if context.isServer {
            SSL_set_accept_state(ssl)
        } else {
            SSL_set_connect_state(ssl)
            if let host { try expect(host) }
        }
    }

    deinit {
        SSL_free(ssl)
        messages.deallocate()
    }

    /// OpenSSL has taken a handshake message; `count` is the channel's `messages`. From the one that is
    /// too many on, it reads nothing any more.
    static func tookMessage(_ ssl: OpaquePointer?, _ count: UnsafeMutableRawPointer?) {
        guard let count = count?.assumingMemoryBound(to: Int.self) else { return }
        count.pointee += 1
        guard count.pointee > messagesMax else { return }
        SSL_set_shutdown(ssl, SSL_get_shutdown(ssl) | SSL_RECEIVED_SHUTDOWN)
    }

    private func expect(_ host: String) throws(TLSFailure) {
        let flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT
        SSL_set_hostflags(ssl, UInt32(flags))
        if X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1 { return }
        ERR_clear_error()
        guard SSL_set1_host(ssl, host) == 1, eo_ask_for_host(ssl, host) != 0 else {
            throw TLSFailure(message: "'\(host)' can't be the name in a certificate")
        }
    }

    /// What the handshake waits for; nil: it is done.
    func handshake() throws(TransportFailure) -> Interest? {
        switch try step({ SSL_do_handshake($0) }) {
        case .done:
            isHandshaking = false
            return nil
        case .wantsToRead: return .readable
        case .wantsToWrite: return .writable
        case .ended: throw .cut
        }
    }

    /// For the log: "TLSv1.3 TLS_AES_256_GCM_SHA384".
    var cipher: String {
        let name = SSL_CIPHER_get_name(SSL_get_current_cipher(ssl)).map { String(cString: $0) }
        return "\(String(cString: SSL_get_version(ssl))) \(name ?? "")"
    }

    /// For the log: what the kernel encrypts and decrypts: "send", "receive", "both" or "nothing".
    var inKernel: String {
        switch (eo_kernel_sends(ssl), eo_kernel_receives(ssl)) {
        case (true, true): "both"
        case (true, false): "send"
        case (false, true): "receive"
        case (false, false): "nothing"
        }
    }

    /// Says that nothing more comes, where that can still be said. The socket is to be closed then.
    func sayEnd() {
        guard !isHandshaking, !isBroken, unsent == nil else { return }
        ERR_clear_error()
        SSL_shutdown(ssl)
        ERR_clear_error()
    }
}

// MARK: - Reading and writing

extension TLSChannel {
    /// Reads until the socket is empty, or the most that one read takes; then `hasUnread`. Nil: nothing
    /// yet; 0: the end.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(TransportFailure) -> Int? {
        if let readFailure { throw readFailure }
        hasUnread = false
        messages.pointee = 0
        var filled = 0
        var records = 0
        while filled < buffer.count, records < Self.recordsMax {
            records += 1
            do throws(TransportFailure) {
                switch try readRecord(into: buffer, &filled) {
                case .done: continue
                case .wantsToRead: return filled > 0 ? filled : nil
                case .wantsToWrite: throw Self.outOfPlace
                case .ended:
                    hasUnread = filled > 0
                    return filled
                }
            } catch {
                guard filled > 0 else { throw error }
                readFailure = error
                break
            }
        }
        hasUnread = true
        return filled
    }

    private func readRecord(
        into buffer: UnsafeMutableRawBufferPointer,
        _ filled: inout Int,
    ) throws(TransportFailure) -> Step {
        let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
        var count = 0
        let step = try step { SSL_read_ex($0, rest.baseAddress, rest.count, &count) }
        filled += count
        return step
    }

    /// Whether a record waits for the socket.
    var hasUnsent: Bool { unsent != nil }

    /// Writes what waits; true: nothing does any more.
    func flush() throws(TransportFailure) -> Bool {
        guard let record = unsent else { return true }
        guard try writeAll(record) else { return false }
        unsent = nil
        return true
    }

    /// Sends a record, which is taken whatever the answer. False: the socket is full, and the channel
    /// keeps the record. Only where nothing waits.
    func write(_ record: TLSRecord) throws(TransportFailure) -> Bool {
        precondition(unsent == nil, "a record is written before the last one was")
        if try writeAll(record) { return true }
        unsent = record
        return false
    }

    /// Takes as much as it can now; nil: nothing.
    func write(_ bytes: RawSpan) throws(TransportFailure) -> Int? {
        guard try flush() else { return nil }
        let record = spareRecord.take() ?? TLSRecord()
        record.clear()
        let count = bytes.withUnsafeBytes { record.append($0) }
        if try write(record) { spareRecord = record }
        return count
    }

    private func writeAll(_ record: TLSRecord) throws(TransportFailure) -> Bool {
        switch try step({ SSL_write($0, record.bytes.baseAddress, Int32(record.count)) }) {
        case .done: return true
        case .wantsToWrite: return false
        case .wantsToRead, .ended: throw Self.outOfPlace
        }
    }

    /// TLS 1.3 has no handshake after the first. Half a message that looks like one would have us wait
    /// for the peer in the middle of a write, and so for as long as it likes.
    private static let outOfPlace = TransportFailure.tls(
        TLSFailure(message: "the peer has begun another handshake")
    )

    private enum Step { case done, wantsToRead, wantsToWrite, ended }

    private func step(_ call: (OpaquePointer) -> Int32) throws(TransportFailure) -> Step {
        // Those of other channels would be taken for this one's.
        ERR_clear_error()
        let answer = call(ssl)
        if answer > 0 { return .done }
        let number = errno
        if messages.pointee > Self.messagesMax {
            isBroken = true
            throw .tls(TLSFailure(message: "the peer changes its keys without end"))
        }
        switch SSL_get_error(ssl, answer) {
        case SSL_ERROR_WANT_READ: return .wantsToRead
        case SSL_ERROR_WANT_WRITE: return .wantsToWrite
        case SSL_ERROR_ZERO_RETURN: return .ended
        case SSL_ERROR_SYSCALL:
            isBroken = true
            throw number == 0 ? .cut : .system(Errno(number))
        default:
            isBroken = true
            throw failure()
        }
    }

    private func failure() -> TransportFailure {
        let reason = OpenSSLErrors.reason
        let text = OpenSSLErrors.take()
        switch reason {
        case SSL_R_UNEXPECTED_EOF_WHILE_READING:
            return .cut
        case SSL_R_CERTIFICATE_VERIFY_FAILED:
            let result = SSL_get_verify_result(ssl)
            let why = X509_verify_cert_error_string(result).map { String(cString: $0) } ?? ""
            return .tls(TLSFailure(message: "the certificate was refused: \(why)"))
        case SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST:
            return .tls(TLSFailure(message: "the peer speaks HTTP, not TLS"))
        case SSL_R_WRONG_VERSION_NUMBER:
            let isPlain = isHandshaking
            return .tls(TLSFailure(message: "the peer does not speak TLS", isPlainText: isPlain))
        default:
            return .tls(TLSFailure(message: text))
        }
    }
}
