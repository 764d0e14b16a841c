import ExecModel
import Testing

@testable import ExecCore

@Suite("The order of a registry's execs")
struct ExecIndexTests {
    @Test("is that of their keys, whatever is added and removed, and in parts as in whole")
    func order() throws {
        try withDirectory { directory in
            let registry = ExecSessionRegistry(
                configuration: RegistryConfiguration(stateDirectory: directory)
            )
            var random = SeededGenerator(seed: 7)
            var index = ExecIndex()
            var model: [ExecKey: ExecInstance] = [:]
            for step in 0..<6_000 {
                let key = try ExecKey(
                    container: "c\(random.below(7))",
                    exec: "e\(random.below(300))"
                )
                // More and more, then fewer and fewer.
                if random.below(4) < (step < 3_000 ? 3 : 1) {
                    guard model[key] == nil else { continue }
                    let instance = registry.make(key, command: nil, labels: [:])
                    model[key] = instance
                    index.insert(instance)
                } else {
                    model[key] = nil
                    index.remove(key)
                }
                if step % 500 == 0 { check(index, model, part: 1 + random.below(90)) }
            }
            check(index, model, part: 64)
            for key in model.keys { index.remove(key) }
            check(index, [:], part: 1)
        }
    }

    private func check(_ index: ExecIndex, _ model: [ExecKey: ExecInstance], part: Int) {
        let sorted = model.keys.sorted {
            ($0.containerID, $0.execID) < ($1.containerID, $1.execID)
        }
        for containerID in [nil, "c0", "c3", "c6", "c", "d"] {
            let wanted = sorted.filter { containerID == nil || $0.containerID == containerID }
            let whole = index.instances(after: nil, of: containerID, max: .max)
            #expect(whole.map(\.key) == wanted)
            var parts: [ExecKey] = []
            while true {
                let next = index.instances(after: parts.last, of: containerID, max: part)
                parts += next.map(\.key)
                if next.count < part { break }
            }
            #expect(parts == wanted)
        }
    }
}
