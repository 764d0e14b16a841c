internal import Glibc

/// The machine's processors.
package enum Processors {
    /// How many are online; at least 1.
    package static var count: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
}

/// The user that this process acts as.
package func ownUserID() -> UInt32 { geteuid() }
