internal import CLuaBridge
internal import ExecClient
internal import ExecModel
internal import Kernel

/// What the functions of the module `exec` do. The loop's thread only.
///
/// Objects are named by numbers; one whose number is not known any more is closed. Bounded by the
/// script, which keeps its objects, and by the server, which keeps its execs.
final class ExecModule: UnitOwner, @unchecked Sendable {
    // Unchecked: its tasks run on the script's loop, where all calls come from.
    let scheduler: Scheduler
    private let resources: [String: Resource]
    private let servers: ServerPool
    private let ledger: ExecLedger
    private var executors: [Int64: Place] = [:]
    private(set) var processes: [Int64: ScriptProcess] = [:]
    private var lastNumber: Int64 = 0
    /// What no script can name any more, since the last turn.
    private var garbage: [(kind: elua_kind, number: Int64)] = []

    init(
        _ resources: [String: Resource],
        servers: ServerPool,
        ledger: ExecLedger,
        scheduler: Scheduler,
    ) {
        self.resources = resources
        self.servers = servers
        self.ledger = ledger
        self.scheduler = scheduler
    }

    // MARK: Units and garbage

    func release(_ unit: Unit) {
        for number in unit.executors { executors[number] = nil }
        for number in unit.processes {
            processes[number]?.close(force: false)
            processes[number]?.forget()
            processes[number] = nil
        }
        unit.executors = []
        unit.processes = []
    }

    func tidy() {
        let last = garbage
        garbage = []
        for (kind, number) in last {
            if kind == ELUA_EXECUTOR {
                executors[number] = nil
                continue
            }
            // What runs goes on; it is the unit's to end.
            processes[number]?.forget()
        }
    }

    /// Called while garbage is collected, which may be in the middle of anything.
    func collected(_ kind: elua_kind, _ number: Int64) { garbage.append((kind, number)) }

    private func nextNumber() -> Int64 {
        lastNumber += 1
        return lastNumber
    }
}

// MARK: - Acquiring

extension ExecModule {
    /// `exec.get`.
    func get(_ name: elua_text, in thread: LuaThread) -> Answer {
        let place: Place
        do throws(ResourceProblem) {
            place = try self.place(name)
        } catch {
            return .raise(error.message)
        }
        if place.isKnownToAnswer { return made(place, scheduler.unit) }
        let (id, unit) = (name.string ?? "", Held(scheduler.unit))
        return scheduler.perform(in: thread, "get") { [self] in
            do throws(ExecError) {
                _ = try await place.client.server()
            } catch {
                return .raise("the resource '\(id)' can't be acquired: \(error.message)")
            }
            place.answered()
            return made(place, unit.value)
        }
    }

    /// `exec.attach`.
    func attach(
        _ container: elua_text,
        _ exec: elua_text,
        at resource: elua_text,
        in thread: LuaThread,
    ) -> Answer {
        do {
            let key = try ExecKey(container: container.string ?? "?", exec: exec.string ?? "?")
            let process = add(key, nil, at: try place(resource))
            return process.begin(answering: .values([.process(process.number)]), in: thread)
        } catch let error as ExecError {
            return .raise(error.message)
        } catch {
            return .raise((error as? ResourceProblem)?.message ?? "\(error)")
        }
    }

    private func made(_ place: Place, _ unit: Unit?) -> Answer {
        let number = nextNumber()
        executors[number] = place
        unit?.executors.insert(number)
        return .values([.executor(number)])
    }

    /// Where the resource's processes run; the native one's where none is named.
    private func place(_ name: elua_text) throws(ResourceProblem) -> Place {
        let id = name.isGiven ? name.string ?? "" : Resource.native
        guard let resource = resources[id] else {
            throw ResourceProblem("there is no resource '\(id)'")
        }
        guard resource.isProcessExecutor else {
            throw ResourceProblem(
                "the resource '\(id)' is not a process executor but a '\(resource.kind)'",
            )
        }
        do throws(ExecError) {
            return try servers.place(resource)
        } catch {
            throw ResourceProblem("the resource '\(id)' can't be acquired: \(error.message)")
        }
    }

    /// `executor:exec`.
    func make(_ given: elua_command, by executor: Int64) -> Answer {
        guard let place = executors[executor] else { return .raise("the executor is released") }
        do throws(CommandProblem) {
            let command = try place.resource.command(given)
            // Checked when the resource was read.
            guard let key = try? ExecKey(container: place.resource.container, exec: newName())
            else {
                return .raise("'\(place.resource.container)' is not a container's name")
            }
            return .values([.process(add(key, command, at: place).number)])
        } catch {
            return .raise(error.message)
        }
    }

    /// `executor:release`.
    func release(_ executor: Int64) -> Answer {
        guard executors.removeValue(forKey: executor) != nil else {
            return .raise("the executor is released")
        }
        scheduler.unit?.executors.remove(executor)
        return .values([.boolean(true)])
    }

    private func add(_ key: ExecKey, _ command: Command?, at place: Place) -> ScriptProcess {
        let process = ScriptProcess(
            nextNumber(),
            key,
            command,
            at: place,
            scheduler: scheduler,
            ledger: ledger,
        )
        let (number, unit) = (process.number, scheduler.unit)
        processes[number] = process
        unit?.processes.insert(number)
        process.gone = { [weak self, weak unit] in
            self?.processes[number] = nil
            unit?.processes.remove(number)
        }
        return process
    }

    /// A name that no other exec has.
    private func newName() -> String {
        "lua-"
            + randomBytes(8).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }
            .joined()
    }
}

/// A value of the loop's on its way through a task of the loop's.
private struct Held<Value>: @unchecked Sendable {
    // Unchecked: such tasks run on the loop.
    let value: Value

    init(_ value: Value) { self.value = value }
}
