internal import ExecCore
internal import Kernel
internal import Synchronization

/// The sockets of a server, from the first that listens to the last that is closed. Any thread.
final class ListenerController: Sendable {
    private let context: ServerContext
    private let group: EventLoopGroup
    private let listeners = Mutex<[Listener]>([])

    init(context: ServerContext, group: EventLoopGroup) {
        (self.context, self.group) = (context, group)
    }

    /// Listens on all addresses, and accepts; returns them as they really are. Throws
    /// INVALID_ARGUMENT or FAILED_PRECONDITION, and then listens on none. Once.
    func start(
        _ addresses: [String],
        _ authenticator: Authenticator,
    ) throws(ExecError) -> [String] {
        let options = context.options
        let policy = ListenPolicy(
            hasTLS: options.tls != nil,
            allowsInsecureTCP: options.allowsInsecureTCP
        )
        for address in try policy.insecure(among: addresses) {
            context.log.warning("everybody can read along", ["address": address])
        }
        var made: [Listener] = []
        do throws(ExecError) {
            for text in addresses { made.append(try listener(on: text, authenticator)) }
            for listener in made { try begin(listener) }
        } catch {
            for listener in made { listener.close {} }
            throw error
        }
        listeners.withLock { $0 = made }
        return made.map { $0.address.description }
    }

    /// Listens no more; who has not been accepted is refused. Returns when all sockets are closed.
    func stop() async {
        let all = listeners.withLock { listeners in
            defer { listeners = [] }
            return listeners
        }
        for listener in all {
            await withCheckedContinuation { continuation in
                listener.close { continuation.resume() }
            }
        }
    }

    private func begin(_ listener: Listener) throws(ExecError) {
        do throws(Errno) {
            try listener.begin()
        } catch {
            let problem = "\(listener.address) can't be watched: \(error)"
            throw ExecError(.resourceExhausted, problem, cause: error)
        }
    }

    private func listener(
        on text: String,
        _ authenticator: Authenticator,
    ) throws(ExecError) -> Listener {
        let address: SocketAddress
        do throws(AddressError) {
            address = try SocketAddress(parsing: text)
        } catch {
            throw ExecError(.invalidArgument, error.message)
        }
        do throws(SocketFailure) {
            return Listener(
                try Sockets.listen(on: address),
                authenticator: authenticator,
                context: context,
                loop: group.loops[0],
                nextLoop: { [group] in group.next() },
            )
        } catch {
            throw ExecError(.failedPrecondition, error.description, cause: error)
        }
    }
}
