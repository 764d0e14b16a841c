import ExecCore
import Glibc
import Testing

@Suite("Whatever the order of things", .timeLimit(.minutes(2)))
struct SimulationTests {
    /// `EXECSTREAM_SIMULATION_SEEDS` says how many, `EXECSTREAM_SIMULATION_FIRST` where they begin:
    /// with 1 of them it runs again what a failure has printed.
    @Test("every viewer gets what was written, less the gaps it was told, and the exit last")
    func seeds() throws {
        let first = UInt64(Self.setting("EXECSTREAM_SIMULATION_FIRST") ?? 1)
        let count = UInt64(Self.setting("EXECSTREAM_SIMULATION_SEEDS") ?? 10_000)
        try withDirectory { directory in
            for seed in first..<(first + count) {
                do {
                    var simulation = try Simulation(seed: seed, directory: directory)
                    try simulation.run()
                } catch {
                    Issue.record("seed \(seed): \(error)")
                    return
                }
            }
        }
    }

    private static func setting(_ name: String) -> Int? {
        getenv(name).flatMap { Int(String(cString: $0)) }
    }
}
