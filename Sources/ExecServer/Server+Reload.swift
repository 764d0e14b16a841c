internal import ExecModel
internal import Kernel

extension ExecServer {
    /// Takes up what has changed in the files that the server was given: reads the tokens file and those
    /// of TLS, for connections from now on, and opens the audit log where it is now. A file that can't be
    /// used is logged as an error, and the server goes on with what it has. From any thread, while the
    /// server is up.
    ///
    /// A connection whose token is gone is closed. A token's new role and prefixes count from the next call
    /// on, and open streams that they do not allow end with PERMISSION_DENIED.
    public func reload() {
        var isDone = true
        let parts: [() throws(ExecError) -> Void] = [
            context.reloadAccess, context.tls.load, context.audit.open,
        ]
        for part in parts {
            do throws(ExecError) {
                try part()
            } catch {
                isDone = false
                context.log.error("not reloaded", ["error": error.message])
            }
        }
        if isDone { context.log.info("reloaded") }
    }
}

extension ServerContext {
    fileprivate func reloadAccess() throws(ExecError) {
        try access.load()
        // Each looks for itself before its next call; those that only listen have to be told.
        for connection in allConnections {
            connection.loop.execute { connection.reviewRights() }
        }
    }
}
