internal import CLinux

/// What a handler wants to hear of a descriptor. May be empty: hang-ups and errors are always told.
package struct Interest: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// There is something to read, or the end.
    package static let readable = Interest(rawValue: 1)
    /// There is room to write.
    package static let writable = Interest(rawValue: 2)
    /// A file of the kernel's says something else than when it was read last: EPOLLPRI.
    package static let changed = Interest(rawValue: 4)
    /// The peer has closed its side, or all of it: EPOLLRDHUP. Reading would tell it too; this is for
    /// a socket that is not read for a while.
    package static let peerClosed = Interest(rawValue: 8)

    var events: UInt32 {
        var events: UInt32 = 0
        if contains(.readable) { events |= EPOLLIN.rawValue }
        if contains(.writable) { events |= EPOLLOUT.rawValue }
        if contains(.changed) { events |= EPOLLPRI.rawValue }
        if contains(.peerClosed) { events |= EPOLLRDHUP.rawValue }
        return events
    }
}

/// What a descriptor is ready for.
package struct Readiness: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// A read will not wait: bytes, the end or an error.
    package static let readable = Readiness(rawValue: 1)
    /// A write will not wait: room or an error.
    package static let writable = Readiness(rawValue: 2)
    /// The other side is gone. What it left can still be read.
    package static let hangUp = Readiness(rawValue: 4)
    /// An error is pending; for a pipe's write end: nobody reads.
    package static let error = Readiness(rawValue: 8)
    /// The file says something else than when it was read last, which ends this; or it is gone.
    package static let changed = Readiness(rawValue: 16)
    /// The peer has closed its side. What it sent before can still be read.
    package static let peerClosed = Readiness(rawValue: 32)

    /// What of the kernel's `events` concerns a handler with `interest`. A hang-up or an error also
    /// counts as what the handler waits for, since the read or write is what tells which it is.
    init(events: UInt32, interest: Interest) {
        var readiness: Readiness = []
        let broken = events & (EPOLLHUP.rawValue | EPOLLERR.rawValue)
        if interest.contains(.readable), events & EPOLLIN.rawValue | broken != 0 {
            readiness.insert(.readable)
        }
        if interest.contains(.writable), events & EPOLLOUT.rawValue | broken != 0 {
            readiness.insert(.writable)
        }
        if interest.contains(.changed), events & EPOLLPRI.rawValue != 0 {
            readiness.insert(.changed)
        }
        if interest.contains(.peerClosed), events & EPOLLRDHUP.rawValue | broken != 0 {
            readiness.insert(.peerClosed)
        }
        if events & EPOLLHUP.rawValue != 0 { readiness.insert(.hangUp) }
        if events & EPOLLERR.rawValue != 0 { readiness.insert(.error) }
        self = readiness
    }
}

/// Names one registration with one loop; worth nothing once that was deregistered.
package struct Registration: Hashable, Sendable {
    let index: UInt32
    let generation: UInt32
}

/// Is told on the loop's thread when its descriptor is ready.
package protocol ReadinessHandler: AnyObject {
    /// Level-triggered: told again every turn until it is no longer so, or no longer of interest.
    /// A hang-up or error lasts for ever, and is told whatever the interest: deregister then.
    func ready(_ readiness: Readiness)
}

/// Can be woken on a loop from any thread. See `EventLoop.wake`.
package protocol LoopTarget: AnyObject, Sendable {
    /// Called on the loop's thread, once for each `wake`.
    func woken()
}
