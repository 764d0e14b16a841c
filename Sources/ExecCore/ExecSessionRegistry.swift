public import ExecModel
package import Kernel
internal import Synchronization

/// All execs of one server, by containerID/execID: register, look up, wait, forget.
///
/// An exec is known from its registration until its retention has passed after its exit (five
/// minutes), or until it is removed; until then everybody who asks is told the same exit. Safe to
/// use from any thread. Bounded by `instancesMax` and `instancesPerContainerMax`.
public final class ExecSessionRegistry: Sendable {
    /// The bounds and times.
    public let configuration: RegistryConfiguration
    package let journal: EventJournal
    package let clocks: any Clocks
    let store: LogStore
    private let state: Mutex<RegistryState>
    /// Where an earlier server's logs lie that could be neither taken over nor set aside.
    private let stranded = Mutex<Set<String>>([])

    /// Makes an empty registry that keeps its logs under the configuration's state directory.
    public convenience init(configuration: RegistryConfiguration) {
        self.init(configuration: configuration, clocks: SystemClocks())
    }

    package convenience init(configuration: RegistryConfiguration, clocks: any Clocks) {
        self.init(
            configuration: configuration,
            clocks: clocks,
            store: LogStore(path: configuration.stateDirectory)
        )
    }

    init(configuration: RegistryConfiguration, clocks: any Clocks, store: LogStore) {
        precondition(configuration.ringChunksMax > 0 && configuration.ringBytesMax > 0)
        precondition(
            (1...RegistryConfiguration.chunkBytesLimit).contains(configuration.chunkBytesMax)
        )
        self.configuration = configuration
        self.clocks = clocks
        self.store = store
        journal = EventJournal(capacity: configuration.eventsMax)
        state = Mutex(
            RegistryState(
                instancesMax: configuration.instancesMax,
                perContainerMax: configuration.instancesPerContainerMax,
            )
        )
    }

    /// Registers an exec that the caller runs, or whose output it feeds in.
    ///
    /// Throws ALREADY_EXISTS where the key is taken, RESOURCE_EXHAUSTED at a bound, INVALID_ARGUMENT
    /// where the labels have more than 1 MiB, and FAILED_PRECONDITION where an earlier server's log has
    /// its place.
    public func register(
        _ key: ExecKey,
        labels: [String: String] = [:],
    ) throws(ExecError) -> ExecInstance {
        try Command.checkSize(argv: [], labels: labels)
        switch try enter(key, labels: labels) {
        case .made(let instance):
            return instance
        case .found:
            throw ExecError(.alreadyExists, "\(key) exists already")
        }
    }

    /// The exec with this key; throws NOT_FOUND.
    public func instance(_ key: ExecKey) throws(ExecError) -> ExecInstance {
        guard let instance = state.withLock({ $0.instances[key] }) else {
            throw ExecError(.notFound, "there is no exec \(key)")
        }
        return instance
    }

    /// All execs, or those of one container, in the order of their keys.
    public func instances(of containerID: String? = nil) -> [ExecInstance] {
        state.withLock { $0.index.instances(after: nil, of: containerID, max: .max) }
    }

    /// The next `max` execs after `key` (nil: the first), of one container or of all, in the order of their
    /// keys. For callers that do a little at a time: what is entered or removed meanwhile may be missing.
    package func instances(
        after key: ExecKey?,
        of containerID: String?,
        max: Int,
    ) -> [ExecInstance] {
        state.withLock { $0.index.instances(after: key, of: containerID, max: max) }
    }

    /// Forgets an exec now. Whoever views it goes on to the end of its log.
    ///
    /// Throws NOT_FOUND, or FAILED_PRECONDITION while it has not exited.
    @discardableResult
    public func remove(_ key: ExecKey) throws(ExecError) -> ExecInfo {
        let instance = try instance(key)
        let info = instance.info
        guard info.exit != nil else {
            throw ExecError(.failedPrecondition, "\(key) has not exited; stop it first")
        }
        forget(instance)
        return info
    }

    /// Ends the registration of an exec that the caller runs. Where its exit was not told before,
    /// its viewers are told RUNTIME_ERROR now: nobody is left waiting.
    public func unregister(_ key: ExecKey) throws(ExecError) {
        let instance = try instance(key)
        if instance.exit == nil {
            instance.finish(
                Exit(
                    code: 255,
                    reason: .runtimeError,
                    message: "it was unregistered before its exit was told",
                )
            )
        }
        forget(instance)
    }

    /// Forgets the execs whose retention has passed, the oldest exits first, `max` of them at most.
    /// Returns how many.
    @discardableResult
    package func sweep(atMost max: Int = .max) -> Int {
        let retention = configuration.retention
        let now = clocks.now
        var count = 0
        while count < max,
            let instance = state.withLock({ $0.nextExpired(at: now, retention: retention) })
        {
            forget(instance)
            count += 1
        }
        return count
    }

    /// Forgets everything that has exited, because the server ends.
    package func removeExited() {
        for instance in instances() where instance.exit != nil { forget(instance) }
    }

    /// A new instance that is entered, or the one that stands under the key.
    func enter(_ key: ExecKey, labels: [String: String]) throws(ExecError) -> Entry {
        let entry = try enter(make(key, command: nil, labels: labels))
        if case .made(let instance) = entry { instance.report(.registered) }
        return entry
    }

    /// An instance that nobody knows yet.
    func make(_ key: ExecKey, command: Command?, labels: [String: String]) -> ExecInstance {
        ExecInstance(
            key: key,
            command: command,
            labels: labels,
            store: store,
            configuration: configuration,
            clocks: clocks,
            observer: self,
        )
    }

    /// From here on everybody can find the instance, unless its name is taken.
    func enter(_ instance: ExecInstance) throws(ExecError) -> Entry {
        let isOccupied = isStranded(instance.key)
        return try state.withLock { (state) throws(ExecError) -> Entry in
            if let existing = state.instances[instance.key] { return .found(existing) }
            if isOccupied {
                throw ExecError(
                    .failedPrecondition,
                    "a log of an earlier server that can't be read lies in "
                        + "\(directory(of: instance.key)); move it away first",
                )
            }
            try state.checkRoom(for: instance.key)
            state.insert(instance)
            return .made(instance)
        }
    }

    /// As `enter`, for one that nobody else can have: it was there before there were others.
    func enterBeyondBounds(_ instance: ExecInstance) { state.withLock { $0.insert(instance) } }

    enum Entry {
        case made(ExecInstance)
        case found(ExecInstance)
    }

    var execsDirectory: String { "\(configuration.stateDirectory)/\(LogStore.execsName)" }

    private func directory(of key: ExecKey) -> String {
        "\(execsDirectory)/\(key.containerID)/\(key.execID)"
    }

    private func forget(_ instance: ExecInstance) {
        let number = state.withLock { $0.nextRemoval() }
        // While the name is taken: who has it next must not find this log in its place. The clock makes
        // it another path than an earlier process's.
        instance.log.forget(movingTo: ".removed-\(clocks.unixNS)-\(number)")
        if state.withLock({ $0.remove(instance) }) { instance.removed() }
    }
}

// MARK: - What an earlier server left, and nobody could read

extension ExecSessionRegistry {
    /// What lies at these paths, or below, is not to be written over: its names can't be used.
    func keep(stranded paths: [String]) { stranded.withLock { $0.formUnion(paths) } }

    /// Whether an exec of this name would write over such a log. Somebody may have moved it away.
    private func isStranded(_ key: ExecKey) -> Bool {
        let directory = directory(of: key)
        let above = [execsDirectory, "\(execsDirectory)/\(key.containerID)", directory]
        let isBelow = stranded.withLock { stranded in
            !stranded.isEmpty && above.contains { stranded.contains($0) }
        }
        return isBelow && Files.exists(directory)
    }
}

extension ExecSessionRegistry: InstanceObserver {
    func instance(_ instance: ExecInstance, did kind: LifecycleEvent.Kind) {
        if kind == .exited {
            let now = clocks.now
            state.withLock { $0.exited(instance, at: now) }
        }
        journal.append(kind, info: instance.info, unixNS: clocks.unixNS)
    }
}
