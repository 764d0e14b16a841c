internal import CLuaBridge
internal import ExecModel
internal import Kernel

/// What the bridge calls: a script's scheduler, and its module `exec`. The loop's thread only.
final class ScriptHost: @unchecked Sendable {
    // Unchecked: made on the loop, and used there only; the scheduler checks it.
    let scheduler: Scheduler
    let module: ExecModule

    /// Must live until the script has ended. On `loop`.
    init(_ options: ScriptOptions, servers: ServerPool, ledger: ExecLedger, loop: EventLoop) {
        scheduler = Scheduler(loop: loop, report: options.report)
        module = ExecModule(
            options.resources,
            servers: servers,
            ledger: ledger,
            scheduler: scheduler,
        )
        scheduler.units = module
    }

    /// Runs the script, and calls `done` when it has ended and all that it acquired is being
    /// released.
    func begin(_ options: ScriptOptions, done: @escaping (ScriptEnd) -> Void) {
        guard let lua = LuaState(functions: functions()) else {
            return done(.failed("not enough memory"))
        }
        scheduler.begin(options.path, options.arguments, in: lua, done: done)
    }

    private static func of(_ context: UnsafeMutableRawPointer?) -> ScriptHost {
        guard let context else { preconditionFailure("the bridge was given its host") }
        return Unmanaged<ScriptHost>.fromOpaque(context).takeUnretainedValue()
    }

    private func functions() -> elua_host {
        var functions = elua_host()
        functions.context = Unmanaged.passUnretained(self).toOpaque()
        setScheduling(&functions)
        setAcquiring(&functions)
        setProcesses(&functions)
        setStreams(&functions)
        return functions
    }
}

// What is set here runs between two frames of C. Each makes its answer first and delivers it last,
// when nothing here is being looked at or changed.

extension ScriptHost {
    private func setScheduling(_ functions: inout elua_host) {
        functions.finish = { context, thread in
            guard let thread else { return Int32(ELUA_NO_MEMORY) }
            return ScriptHost.of(context).scheduler.takeAnswer().deliver(to: thread)
        }
        functions.spawn = { context, thread, reference, position in
            guard let thread, let position else { return }
            ScriptHost.of(context).scheduler.spawn(
                thread,
                reference: reference,
                position: String(cString: position),
            )
        }
        functions.park = { context, thread, what in
            guard let thread, let what else { return 0 }
            return ScriptHost.of(context).scheduler.park(in: thread, String(cString: what))
        }
        functions.unpark = { context, number in
            ScriptHost.of(context).scheduler.unpark(number)
        }
        functions.sleep = { context, thread, time in
            guard let thread, let time else { return Int32(ELUA_NO_MEMORY) }
            let answer = ScriptHost.of(context).scheduler.sleep(for: time.pointee, in: thread)
            return answer.deliver(to: thread)
        }
        functions.exit = { context, code in
            ScriptHost.of(context).scheduler.exit(Int32(clamping: code))
        }
        functions.collected = { context, kind, number in
            ScriptHost.of(context).module.collected(kind, number)
        }
    }

    private func setAcquiring(_ functions: inout elua_host) {
        functions.get = { context, thread, resource in
            guard let thread else { return Int32(ELUA_NO_MEMORY) }
            return ScriptHost.of(context).module.get(resource, in: thread).deliver(to: thread)
        }
        functions.attach = { context, thread, container, exec, resource in
            guard let thread else { return Int32(ELUA_NO_MEMORY) }
            let module = ScriptHost.of(context).module
            return module.attach(container, exec, at: resource, in: thread).deliver(to: thread)
        }
        functions.make = { context, thread, executor, command in
            guard let thread, let command else { return Int32(ELUA_NO_MEMORY) }
            let module = ScriptHost.of(context).module
            return module.make(command.pointee, by: executor).deliver(to: thread)
        }
        functions.release = { context, thread, executor in
            guard let thread else { return Int32(ELUA_NO_MEMORY) }
            return ScriptHost.of(context).module.release(executor).deliver(to: thread)
        }
    }

    private func setProcesses(_ functions: inout elua_host) {
        functions.start = { context, thread, process in
            guard let thread else { return Int32(ELUA_NO_MEMORY) }
            return ScriptHost.of(context).module.start(process, in: thread).deliver(to: thread)
        }
        functions.wait = { context, thread, process in
            guard let thread else { return Int32(ELUA_NO_MEMORY) }
            return ScriptHost.of(context).module.wait(process, in: thread).deliver(to: thread)
        }
        functions.signal = { context, thread, process, number in
            guard let thread else { return Int32(ELUA_NO_MEMORY) }
            let module = ScriptHost.of(context).module
            return module.signal(process, number, in: thread).deliver(to: thread)
        }
        functions.close = { context, thread, process, force in
            guard let thread else { return Int32(ELUA_NO_MEMORY) }
            return ScriptHost.of(context).module.close(process, force: force).deliver(to: thread)
        }
        functions.info = { context, thread, process in
            guard let thread else { return Int32(ELUA_NO_MEMORY) }
            return ScriptHost.of(context).module.info(process, in: thread).deliver(to: thread)
        }
        functions.resize = { context, thread, process, rows, columns in
            guard let thread else { return Int32(ELUA_NO_MEMORY) }
            let module = ScriptHost.of(context).module
            return module.resize(process, rows, columns, in: thread).deliver(to: thread)
        }
    }

    private func setStreams(_ functions: inout elua_host) {
        functions.write_stdin = { context, thread, process, data in
            guard let thread else { return Int32(ELUA_NO_MEMORY) }
            let module = ScriptHost.of(context).module
            return module.writeStdin(process, data.copy, in: thread).deliver(to: thread)
        }
        functions.close_stdin = { context, thread, process in
            guard let thread else { return Int32(ELUA_NO_MEMORY) }
            return ScriptHost.of(context).module.closeStdin(process, in: thread).deliver(to: thread)
        }
        functions.open_stream = { context, thread, process, isError in
            guard let thread else { return Int32(ELUA_NO_MEMORY) }
            let module = ScriptHost.of(context).module
            return module.openStream(process, isError ? .stderr : .stdout).deliver(to: thread)
        }
        functions.read = { context, thread, process, isError, max in
            guard let thread else { return Int32(ELUA_NO_MEMORY) }
            let module = ScriptHost.of(context).module
            return module.read(process, isError ? .stderr : .stdout, max: max, in: thread)
                .deliver(to: thread)
        }
        functions.close_stream = { context, thread, process, isError in
            guard let thread else { return Int32(ELUA_NO_MEMORY) }
            let module = ScriptHost.of(context).module
            return module.closeStream(process, isError ? .stderr : .stdout).deliver(to: thread)
        }
    }
}

extension elua_text {
    /// The bytes, to keep.
    var copy: [UInt8] { Array(UnsafeRawBufferPointer(start: bytes, count: length)) }

    /// The text; nil: it is not UTF-8.
    var string: String? { String(validating: copy, as: UTF8.self) }

    /// Whether anything was given.
    var isGiven: Bool { bytes != nil }
}
