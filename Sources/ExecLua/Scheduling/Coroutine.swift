/// One coroutine that the scheduler runs: the script itself, or one that was spawned.
final class Coroutine {
    /// Names it; never used again.
    let number: Int64
    /// Lua's part of it.
    let thread: LuaThread
    /// What keeps that from being collected.
    let reference: Int32
    /// For people: "the script", or where it was spawned.
    let name: String
    /// What it has acquired.
    let unit = Unit()
    /// What it waits for; nil: it runs, or is ready to.
    var wait: Wait?
    /// What it waited for, until it runs and takes it.
    var answer: Answer?

    init(number: Int64, thread: LuaThread, reference: Int32, name: String) {
        self.number = number
        self.thread = thread
        self.reference = reference
        self.name = name
    }

    /// A call that has not returned.
    struct Wait {
        /// The function's name.
        let what: String
        /// The coroutine that called: this one, or one within it.
        let place: LuaThread
        /// Only another coroutine can end it.
        let isOnChannel: Bool
        /// Which wait this is; never used again.
        let number: UInt64
    }
}

/// Who waits for one answer. The first answer is the one that counts.
struct Waiter: Sendable {
    let coroutine: Int64
    let wait: UInt64
}

/// What a coroutine has acquired, by number; it is released when the coroutine ends.
final class Unit {
    var executors: Set<Int64> = []
    var processes: Set<Int64> = []
}

/// Releases what units have acquired.
protocol UnitOwner: AnyObject {
    /// A coroutine has ended.
    func release(_ unit: Unit)
    /// The time to do what was put off while garbage was collected.
    func tidy()
}
