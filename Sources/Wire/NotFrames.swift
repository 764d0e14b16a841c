/// What arrived can't be ttrpc: a frame's first byte is always 0, because no frame has 16 MiB.
package struct NotFrames: Error, Hashable, Sendable, CustomStringConvertible {
    /// For the log: "an HTTP request", "a TLS hello", "an SSH greeting" or "something else".
    package let looksLike: String

    /// Says what did arrive.
    package init(looksLike: String) { self.looksLike = looksLike }

    package var description: String { "the bytes are not ttrpc but look like \(looksLike)" }

    /// Guesses from the bytes that arrived in a frame's place, of which there is at least one.
    init(_ bytes: RawSpan) {
        let known = Self.greetings.first { greeting in
            bytes.withUnsafeBytes { buffer in
                zip(greeting.prefix.utf8, buffer).allSatisfy { $0 == $1 }
            }
        }
        self.init(looksLike: known?.name ?? "something else")
    }

    private static let greetings: [(prefix: String, name: String)] =
        [
            ("\u{16}\u{3}", "a TLS hello"),
            ("\u{15}\u{3}", "a TLS alert"),
            ("SSH-", "an SSH greeting"),
        ]
        + [
            "GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "CONNECT ", "OPTIONS ", "TRACE ",
            "PATCH ", "PRI * HTTP/2",
        ].map { ($0, "an HTTP request") }
}
