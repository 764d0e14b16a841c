internal import ExecModel

/// Places in a log at which the offsets of both streams are known, so that a viewer's place is found without
/// reading the records of all that follows it. A record tells of its own stream only.
///
/// In order, at distances of `spacing` chunks or a little more. At `countMax` every second one goes and the
/// spacing doubles: so the memory is bounded, and what is between two of them grows with the log's length
/// only beyond 8 million chunks. A value.
struct LogWaypoints: Hashable {
    /// How far the streams had come with the chunk `sequence`.
    struct Waypoint: Hashable {
        var sequence: UInt64
        var offsets: StreamOffsets
    }

    private var waypoints: [Waypoint] = []
    private(set) var spacing: UInt64 = 1_024

    static let countMax = 8_192

    var count: Int { waypoints.count }

    /// The log has come to this place.
    mutating func pass(_ sequence: UInt64, _ offsets: StreamOffsets) {
        guard sequence >= (waypoints.last?.sequence ?? 0) + spacing else { return }
        waypoints.append(Waypoint(sequence: sequence, offsets: offsets))
        guard waypoints.count >= Self.countMax else { return }
        spacing *= 2
        waypoints = stride(from: 1, to: waypoints.count, by: 2).map { waypoints[$0] }
    }

    /// The first that is not before `sequence`; nil: none is.
    func first(notBefore sequence: UInt64) -> Waypoint? {
        first { $0.sequence >= sequence }
    }

    /// The first from which on the log has `bytes` at most, of `end` in all; nil: none is.
    func first(withAtMost bytes: UInt64, before end: StreamOffsets) -> Waypoint? {
        let start = end.total > bytes ? end.total - bytes : 0
        return first { $0.offsets.total >= start }
    }

    private func first(where isReached: (Waypoint) -> Bool) -> Waypoint? {
        var (low, high) = (0, waypoints.count)
        while low < high {
            let middle = (low + high) / 2
            if isReached(waypoints[middle]) { high = middle } else { low = middle + 1 }
        }
        return low < waypoints.count ? waypoints[low] : nil
    }
}

extension InstanceState {
    /// The waypoint from which to look back for the place where a viewer wants to start.
    func waypoint(for from: View.From) -> LogWaypoints.Waypoint? {
        switch from {
        case .start, .live: nil
        case .after(let sequence): waypoints.first(notBefore: sequence)
        // What is behind a hole is no part of the tail.
        case .tail(let bytes): hasHole ? nil : waypoints.first(withAtMost: bytes, before: offsets)
        }
    }
}
