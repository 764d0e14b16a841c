internal import Glibc
internal import Kernel

extension Console {
    /// Ends the program there and then, by `end`. From any thread: what the program's tasks write may never
    /// be taken, and a task that waits for that can't be called off.
    ///
    /// `message` is said before, on a line of its own where the exec's may not have ended. For the same
    /// reason it has a moment to be taken.
    func leave(
        saying message: String = "",
        midLine: Bool = false,
        _ end: @escaping @Sendable () -> Never,
    ) -> Never {
        if message.isEmpty { end() }
        leave(
            after: { [self] in
                if midLine, isTerminal { try? print("\n") }
                complain(message)
            },
            end
        )
    }

    /// Ends the program by `end`, after `last`, or a moment later where that does not return.
    func leave(
        after last: @escaping @Sendable () -> Void,
        _ end: @escaping @Sendable () -> Never,
    ) -> Never {
        guard let group = try? EventLoopGroup(count: 1, name: "farewell") else { end() }
        group.next().execute {
            last()
            end()
        }
        return withExtendedLifetime(group) {
            usleep(Self.momentMicroseconds)
            end()
        }
    }

    private static let momentMicroseconds: UInt32 = 500_000
}
