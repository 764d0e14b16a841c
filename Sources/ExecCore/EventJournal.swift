package import ExecModel
internal import Kernel
internal import Synchronization

/// The newest lifecycle events of a registry, for any number of subscribers: one ring, and a cursor
/// for each. A subscriber that is too slow for the ring is told how many events it missed.
package final class EventJournal: Sendable {
    private struct State {
        /// The event with sequence s stands in slot (s - 1) % capacity.
        var events: [LifecycleEvent] = []
        var lastSequence: UInt64 = 0
        var parked = ParkedWakers()
    }

    private let capacity: Int
    private let state = Mutex(State())

    /// How many events one pull passes over that do not concern its subscriber.
    private static let passedMax = 256

    init(capacity: Int) {
        precondition(capacity > 0)
        self.capacity = capacity
    }

    func append(_ kind: LifecycleEvent.Kind, info: ExecInfo, unixNS: Int64) {
        let parked = state.withLock { state in
            state.lastSequence += 1
            let event = LifecycleEvent(
                sequence: state.lastSequence,
                unixNS: unixNS,
                kind: kind,
                info: info
            )
            if state.events.count < capacity {
                state.events.append(event)
            } else {
                state.events[Int((event.sequence - 1) % UInt64(capacity))] = event
            }
            return state.parked.takeAll()
        }
        for subscriber in parked { subscriber?.wake() }
    }

    /// A cursor that starts after `sequence`; 0: with what comes from now on.
    ///
    /// Throws OUT_OF_RANGE for a sequence that has not been reached (another server's, perhaps).
    package func subscribe(after sequence: UInt64) throws(ExecError) -> EventCursor {
        let last = state.withLock { $0.lastSequence }
        guard sequence <= last else {
            throw ExecError(
                .outOfRange,
                "after_sequence is \(sequence), but this server has only come to \(last)",
            )
        }
        return EventCursor(next: (sequence == 0 ? last : sequence) + 1)
    }

    /// What one pull yields.
    package enum Pulled {
        case event(LifecycleEvent)
        /// Only events of other containers so far: pull again, after others had their turn.
        case more
        /// None yet: the waker is called when there may be one.
        case parked
    }

    /// The next event that concerns `container` (empty: all).
    package func pull(
        _ cursor: inout EventCursor,
        container: String,
        parking waker: any Wakeable,
    ) -> Pulled {
        state.withLock { state in
            let oldest = state.lastSequence - UInt64(state.events.count) + 1
            if cursor.next < oldest {
                cursor.missed += oldest - cursor.next
                cursor.next = oldest
            }
            var passed = 0
            while cursor.next <= state.lastSequence {
                if passed == Self.passedMax { return .more }
                passed += 1
                let place = Int((cursor.next - 1) % UInt64(capacity))
                cursor.next += 1
                if !container.isEmpty, state.events[place].info.containerID != container {
                    continue
                }
                var event = state.events[place]
                event.missed = cursor.missed
                cursor.missed = 0
                return .event(event)
            }
            state.parked.park(waker, &cursor.ticket)
            return .parked
        }
    }

    /// The subscriber goes.
    package func unsubscribe(_ cursor: inout EventCursor) {
        state.withLock { $0.parked.leave(&cursor.ticket) }
    }
}

/// A subscriber's place in the journal.
package struct EventCursor: Sendable {
    var next: UInt64
    /// Events that were overwritten before it came to them, of all containers.
    var missed: UInt64 = 0
    var ticket = ParkedWakers.Ticket()

    init(next: UInt64) { self.next = next }
}
