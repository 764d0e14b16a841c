internal import COpenSSL

/// A SHA-256 over bytes that come in parts, by OpenSSL.
package struct SHA256: ~Copyable {
    private let context: OpaquePointer

    /// The size of a digest.
    package static let byteCount = 32

    /// Of nothing so far. Only a lack of memory makes OpenSSL refuse.
    package init() {
        guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1
        else { fatalError("no memory for a digest") }
        self.context = context
    }

    deinit { EVP_MD_CTX_free(context) }

    /// Takes `bytes` in.
    package mutating func update(_ bytes: RawSpan) {
        let isDone = bytes.withUnsafeBytes {
            EVP_DigestUpdate(context, $0.baseAddress, $0.count) == 1
        }
        precondition(isDone, "OpenSSL takes bytes into a digest")
    }

    /// The digest of all that was taken in.
    package consuming func finish() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Self.byteCount) { buffer, count in
            var written: UInt32 = 0
            let isDone = EVP_DigestFinal_ex(context, buffer.baseAddress, &written) == 1
            precondition(isDone && written == Self.byteCount, "OpenSSL makes a digest")
            count = Self.byteCount
        }
    }
}
