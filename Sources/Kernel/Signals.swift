internal import Glibc

/// The signals that the floors above have to name.
package enum Signals {
    /// SIGHUP.
    package static let hangUp: Int32 = SIGHUP
    /// SIGINT.
    package static let interrupt: Int32 = SIGINT
    /// SIGKILL.
    package static let kill: Int32 = SIGKILL
    /// SIGCHLD.
    package static let childEnded: Int32 = SIGCHLD
    /// SIGSTOP.
    package static let stop: Int32 = SIGSTOP
    /// SIGCONT.
    package static let proceed: Int32 = SIGCONT
    /// SIGTERM.
    package static let terminate: Int32 = SIGTERM
}
