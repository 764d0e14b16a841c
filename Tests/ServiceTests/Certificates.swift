import ExecClient
import ExecServer
import Glibc
import Kernel

/// A CA and what it has signed, made by the `openssl` command in a directory of the test's.
struct Certificates: Sendable {
    private let directory: String
    let ca: String
    private let caKey: String

    /// A certificate and its key.
    struct Identity: Sendable {
        let certificate: String
        let key: String
    }

    init(in directory: String, ca name: String = "ca") throws {
        self.directory = directory
        ca = "\(directory)/\(name).pem"
        caKey = "\(directory)/\(name).key"
        try openssl(
            "req -x509 \(Self.newKey) -days 1 -subj /CN=\(name) -keyout \(caKey) -out \(ca)"
        )
    }

    /// Signs a certificate for this name or address, `IP:127.0.0.1` or `DNS:localhost`.
    func sign(
        _ name: String,
        for subject: String = "IP:127.0.0.1",
        days: Int = 1,
    ) throws -> Identity {
        let base = "\(directory)/\(name)"
        try openssl(
            "req \(Self.newKey) -subj /CN=\(name) -addext subjectAltName=\(subject)"
                + " -keyout \(base).key -out \(base).csr"
        )
        try openssl(
            "x509 -req -in \(base).csr -CA \(ca) -CAkey \(caKey) -days \(days)"
                + " -copy_extensions copyall -out \(base).pem"
        )
        return Identity(certificate: "\(base).pem", key: "\(base).key")
    }

    private static let newKey = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
}

extension Certificates.Identity {
    var server: ServerTLS { ServerTLS(certificateFile: certificate, keyFile: key) }

    func client(_ ca: String) -> ClientTLS {
        ClientTLS(caFile: ca, certificateFile: certificate, keyFile: key)
    }
}

/// Runs the `openssl` command to its end, which must be a good one.
func openssl(_ words: String) throws {
    let code = opensslCode(words)
    guard code == 0 else { throw Unexpected("openssl \(words): \(code)") }
}

/// Runs the `openssl` command to its end.
func opensslCode(_ words: String) -> Int32 {
    system("exec timeout 20 openssl \(words) < /dev/null > /dev/null 2>&1")
}
