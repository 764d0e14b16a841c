internal import ExecModel

/// Those who wait for one start, in the order they came. A value; its owner guards it.
///
/// Each has a number, and may leave at any time: that costs the same whatever the number of the others, but
/// for a search by halves. Of the places of those who have left no more are kept than of those who wait.
struct StartWaiters {
    typealias Body = @Sendable (ExecError?) -> Void

    /// By rising number; nil: the waiter has left.
    private var places: [(number: UInt64, body: Body?)] = []
    /// Places before this one have been told.
    private var head = 0
    private var vacant = 0
    private var lastNumber: UInt64 = 0

    /// How many are waiting.
    var count: Int { places.count - head - vacant }

    /// For tests: how many places there are.
    var placeCount: Int { places.count }

    /// Of the places of those who have left so many are kept in any case.
    private static let vacantMin = 16

    /// Adds a waiter; returns its number.
    mutating func add(_ body: @escaping Body) -> UInt64 {
        lastNumber += 1
        places.append((lastNumber, body))
        return lastNumber
    }

    /// Takes a waiter out; false: it has been told, or has left.
    mutating func leave(_ number: UInt64) -> Bool {
        var (low, high) = (head, places.count)
        while low < high {
            let middle = (low + high) / 2
            if places[middle].number < number { low = middle + 1 } else { high = middle }
        }
        guard low < places.count, places[low].number == number, places[low].body != nil else {
            return false
        }
        places[low].body = nil
        vacant += 1
        if vacant > max(Self.vacantMin, count) { compact() }
        return true
    }

    /// Takes out the first of them, at most `max`, to be told.
    mutating func take(_ max: Int) -> [Body] {
        var taken: [Body] = []
        while taken.count < max, head < places.count {
            if let body = places[head].body {
                taken.append(body)
                places[head].body = nil
            } else {
                vacant -= 1
            }
            head += 1
        }
        if head == places.count { (places, head) = ([], 0) }
        return taken
    }

    private mutating func compact() {
        places.removeSubrange(..<head)
        head = 0
        places.removeAll { $0.body == nil }
        vacant = 0
    }
}

/// A place among those who wait for a start. Any thread.
package struct StartWait: Sendable {
    private let start: PendingStart
    private let kind: PendingStart.Kind
    private let number: UInt64

    init(_ start: PendingStart, _ kind: PendingStart.Kind, _ number: UInt64) {
        (self.start, self.kind, self.number) = (start, kind, number)
    }

    /// Gives the place up: nothing is called. False: it has been called, or is about to be.
    @discardableResult
    package func cancel() -> Bool { start.leave(kind, number) }
}
