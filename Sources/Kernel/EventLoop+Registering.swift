internal import CLinux

// MARK: Descriptors and timers: the loop's thread only

extension EventLoop {
    /// Tells `handler` when the descriptor is ready for what is asked. Retains the handler. Must be
    /// deregistered before the descriptor closes. EPERM: a regular file, which is always ready.
    package func register(
        _ descriptor: borrowing Descriptor,
        for interest: Interest,
        _ handler: any ReadinessHandler,
    ) throws(Errno) -> Registration {
        assertCurrent()
        let number = descriptor.number
        let registration = table.insert(handler, number: number, interest: interest)
        do throws(Errno) {
            try SystemCall.value {
                el_epoll_control(
                    epoll.number,
                    EPOLL_CTL_ADD,
                    number,
                    interest.events,
                    registration.eventData,
                )
            }
        } catch {
            table.remove(registration)
            throw error
        }
        return registration
    }

    /// Changes what the handler waits for; free where nothing changes.
    package func update(_ registration: Registration, to interest: Interest) {
        assertCurrent()
        if hasEnded { return }
        guard let slot = table[registration] else {
            preconditionFailure("this registration was given up")
        }
        if slot.interest == interest { return }
        table.setInterest(interest, of: registration)
        let answer = el_epoll_control(
            epoll.number,
            EPOLL_CTL_MOD,
            slot.number,
            interest.events,
            registration.eventData,
        )
        precondition(answer == 0, "changing an interest: \(Errno(-answer))")
    }

    /// Ends a registration, once. Nothing more is told, not even what this turn has yet to tell.
    package func deregister(_ registration: Registration) {
        assertCurrent()
        if hasEnded { return }
        guard let slot = table[registration] else {
            preconditionFailure("this registration was given up")
        }
        table.remove(registration)
        let answer = el_epoll_control(epoll.number, EPOLL_CTL_DEL, slot.number, 0, 0)
        precondition(answer == 0, "deregister before closing: \(Errno(-answer))")
    }

    /// Runs `body` once, `delay` from now, and in a later turn than this one.
    @discardableResult
    package func schedule(after delay: Duration, _ body: @escaping () -> Void) -> TimerID {
        assertCurrent()
        // From now: a turn may have taken longer than the delay.
        let start = delay > .zero ? SystemClocks().now : turnStart
        return timers.insert(body, at: start + max(delay, .zero))
    }

    /// Keeps a timer from running and lets go of its body; nothing where it ran or was cancelled.
    package func cancel(_ timer: TimerID) {
        assertCurrent()
        let body = timers.cancel(timer)
        withExtendedLifetime(body) {}
    }
}
