internal import COpenSSL
internal import Glibc

/// The files with which one side shows who it is, in PEM.
package struct TLSIdentity: Hashable, Sendable {
    /// The certificate, then those that lead to its CA.
    package let certificateFile: String
    /// Its key, without a passphrase.
    package let keyFile: String

    package init(certificateFile: String, keyFile: String) {
        (self.certificateFile, self.keyFile) = (certificateFile, keyFile)
    }
}

/// What channels of one side are made from: its certificate, and whom it trusts. TLS 1.3 only, no
/// sessions to resume: who was let in once is looked at again. The files are read here, once.
package final class TLSContext: @unchecked Sendable {
    // Unchecked: changed in `init` only. OpenSSL counts references to it atomically, and lets any
    // number of threads make channels from it.
    let raw: OpaquePointer
    let isServer: Bool

    /// Bytes that may lie undecrypted in a channel that is being read.
    private static let readAheadBytes = 64 << 10

    /// Of a server. With `clientCAFile`, clients must show a certificate that one of these CAs signed.
    package init(serving identity: TLSIdentity, clientCAFile: String?) throws(TLSFailure) {
        raw = try Self.make(TLS_server_method())
        isServer = true
        try use(identity)
        if let clientCAFile {
            try trust(clientCAFile)
            guard let names = SSL_load_client_CA_file(clientCAFile) else {
                throw Self.unusable("the CA file", clientCAFile)
            }
            SSL_CTX_set_client_CA_list(raw, names)
            SSL_CTX_set_verify(raw, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
        }
    }

    /// Of a client. Servers must show a certificate that one of the CAs signed, the system's where
    /// there is no `caFile`, and that names the host.
    package init(trusting caFile: String?, as identity: TLSIdentity?) throws(TLSFailure) {
        raw = try Self.make(TLS_client_method())
        isServer = false
        if let identity { try use(identity) }
        if let caFile {
            try trust(caFile)
        } else if SSL_CTX_set_default_verify_paths(raw) != 1 {
            throw TLSFailure(message: "the system's CAs can't be used: \(OpenSSLErrors.take())")
        }
        SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nil)
    }

    deinit { SSL_CTX_free(raw) }

    private static func make(_ method: OpaquePointer?) throws(TLSFailure) -> OpaquePointer {
        ERR_clear_error()
        guard let raw = SSL_CTX_new(method) else {
            throw TLSFailure(message: "TLS can't be used: \(OpenSSLErrors.take())")
        }
        guard eo_set_versions(raw, TLS1_3_VERSION, TLS1_3_VERSION) != 0 else {
            SSL_CTX_free(raw)
            throw TLSFailure(message: "TLS 1.3 can't be used: \(OpenSSLErrors.take())")
        }
        eo_enable_kernel_tls(raw)
        eo_keep_no_sessions(raw)
        eo_read_ahead(raw, readAheadBytes)
        // An idle connection has no buffers.
        eo_release_buffers(raw)
        SSL_CTX_set_msg_callback(raw) { isSent, _, kind, _, _, ssl, count in
            if isSent == 0, kind == SSL3_RT_HANDSHAKE { TLSChannel.tookMessage(ssl, count) }
        }
        // Without it a key with a passphrase would have OpenSSL ask for that on the terminal.
        SSL_CTX_set_default_passwd_cb(raw) { _, _, _, _ in -1 }
        return raw
    }

    private func use(_ identity: TLSIdentity) throws(TLSFailure) {
        let (certificate, key) = (identity.certificateFile, identity.keyFile)
        try Self.checkFile("the certificate", certificate)
        ERR_clear_error()
        guard SSL_CTX_use_certificate_chain_file(raw, certificate) == 1 else {
            throw Self.unusable("the certificate", certificate)
        }
        try use(key: key)
    }

    /// The key is a secret: it is read as one, and OpenSSL is handed the bytes.
    private func use(key path: String) throws(TLSFailure) {
        var bytes: [UInt8]
        do throws(PrivateFileError) {
            bytes = try Files.readPrivate(path, max: Self.keyBytesMax)
        } catch {
            throw TLSFailure(message: "the key '\(path)' can't be used: \(error)")
        }
        defer { for index in bytes.indices { bytes[index] = 0 } }
        let isUsed = bytes.withUnsafeBytes { bytes -> Bool in
            let source = BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count))
            defer { BIO_free(source) }
            // Without the callback a key with a passphrase would have OpenSSL ask for that on the terminal.
            guard let key = PEM_read_bio_PrivateKey(source, nil, { _, _, _, _ in -1 }, nil) else {
                return false
            }
            defer { EVP_PKEY_free(key) }
            return SSL_CTX_use_PrivateKey(raw, key) == 1 && SSL_CTX_check_private_key(raw) == 1
        }
        guard isUsed else { throw Self.unusable("the key", path) }
    }

    private static let keyBytesMax = 1 << 20

    private func trust(_ caFile: String) throws(TLSFailure) {
        try Self.checkFile("the CA file", caFile)
        ERR_clear_error()
        guard SSL_CTX_load_verify_file(raw, caFile) == 1 else {
            throw Self.unusable("the CA file", caFile)
        }
    }

    /// OpenSSL opens files as they come, and would wait for the other end of a FIFO.
    private static func checkFile(_ what: String, _ path: String) throws(TLSFailure) {
        guard Files.isRegularFile(path) || !Files.exists(path) else {
            throw TLSFailure(message: "\(what) '\(path)' can't be used: it is not a regular file")
        }
    }

    private static func unusable(_ what: String, _ path: String) -> TLSFailure {
        TLSFailure(message: "\(what) '\(path)' can't be used: \(OpenSSLErrors.take())")
    }
}

/// What OpenSSL remembers of a failure: a queue of each thread.
enum OpenSSLErrors {
    /// The reason of the oldest, for people; the queue is empty then.
    static func take() -> String {
        defer { ERR_clear_error() }
        let code = ERR_peek_error()
        if code == 0 { return "no reason is known" }
        let number = eo_system_error(code)
        if number != 0 { return Errno(number).description }
        guard let reason = ERR_reason_error_string(code) else { return "reason \(code)" }
        return String(cString: reason)
    }

    /// The number of the oldest one's reason; 0: there is none.
    static var reason: Int32 { ERR_GET_REASON(ERR_peek_error()) }
}
