internal import ExecModel

/// The instances of a registry in the order of their keys, so that a list needs no sorting and may be made
/// a part at a time. Adding, removing and finding a place cost little, whatever the number: instances lie
/// in leaves of `leafMax` at most, and these in order. A value.
struct ExecIndex {
    private var leaves: [[ExecInstance]] = []

    static let leafMax = 128

    /// Adds an instance whose key has none.
    mutating func insert(_ instance: ExecInstance) {
        guard !leaves.isEmpty else {
            leaves = [[instance]]
            return
        }
        let leaf = leaf(of: instance.key)
        leaves[leaf].insert(instance, at: place(of: instance.key, in: leaf))
        guard leaves[leaf].count > Self.leafMax else { return }
        let upper = Array(leaves[leaf][(Self.leafMax / 2)...])
        leaves[leaf].removeLast(upper.count)
        leaves.insert(upper, at: leaf + 1)
    }

    /// Takes out the instance with this key, if there is one.
    mutating func remove(_ key: ExecKey) {
        guard !leaves.isEmpty else { return }
        let leaf = leaf(of: key)
        let place = place(of: key, in: leaf)
        guard place < leaves[leaf].count, leaves[leaf][place].key == key else { return }
        leaves[leaf].remove(at: place)
        if leaves[leaf].isEmpty {
            leaves.remove(at: leaf)
        } else if leaf + 1 < leaves.count {
            join(leaf)
        } else if leaf > 0 {
            join(leaf - 1)
        }
    }

    /// The first `max` instances whose keys come after `key` (nil: all), of one container or of all.
    func instances(after key: ExecKey?, of containerID: String?, max: Int) -> [ExecInstance] {
        var (leaf, place) = start(after: key, of: containerID)
        var found: [ExecInstance] = []
        while leaf < leaves.count, found.count < max {
            guard place < leaves[leaf].count else {
                (leaf, place) = (leaf + 1, 0)
                continue
            }
            let instance = leaves[leaf][place]
            if let containerID, instance.key.containerID != containerID { break }
            found.append(instance)
            place += 1
        }
        return found
    }

    private func start(after key: ExecKey?, of containerID: String?) -> (leaf: Int, place: Int) {
        guard !leaves.isEmpty else { return (0, 0) }
        if let key {
            let leaf = leaf(of: key)
            let place = place(of: key, in: leaf)
            let isThere = place < leaves[leaf].count && leaves[leaf][place].key == key
            return (leaf, isThere ? place + 1 : place)
        }
        guard let containerID else { return (0, 0) }
        // No exec's name is empty: this is before all of the container's.
        let leaf = firstLeaf { !isBefore($0.key, containerID, "") } - 1
        let start = max(leaf, 0)
        return (start, firstPlace(in: start) { !isBefore($0.key, containerID, "") })
    }

    /// Two small neighbours become one leaf, so that there are never many leaves with little in them.
    private mutating func join(_ leaf: Int) {
        guard leaves[leaf].count + leaves[leaf + 1].count <= Self.leafMax / 2 else { return }
        leaves[leaf] += leaves.remove(at: leaf + 1)
    }

    /// The leaf that has this key or would have it.
    private func leaf(of key: ExecKey) -> Int {
        max(firstLeaf { isBefore(key, $0.key.containerID, $0.key.execID) } - 1, 0)
    }

    /// Where in its leaf the key stands or would stand.
    private func place(of key: ExecKey, in leaf: Int) -> Int {
        firstPlace(in: leaf) { !isBefore($0.key, key.containerID, key.execID) }
    }

    private func firstLeaf(where isAfter: (ExecInstance) -> Bool) -> Int {
        firstIndex(below: leaves.count) { isAfter(leaves[$0][0]) }
    }

    private func firstPlace(in leaf: Int, where isAfter: (ExecInstance) -> Bool) -> Int {
        firstIndex(below: leaves[leaf].count) { isAfter(leaves[leaf][$0]) }
    }

    /// The first number below `count` for which `isAfter` holds, as it does for all that follow; else
    /// `count`.
    private func firstIndex(below count: Int, where isAfter: (Int) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if isAfter(middle) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    private func isBefore(_ key: ExecKey, _ containerID: String, _ execID: String) -> Bool {
        (key.containerID, key.execID) < (containerID, execID)
    }
}
