internal import ExecModel
internal import Kernel

@testable internal import ExecClient
@testable internal import Wire
@testable internal import execstream

/// The client: whatever a server sends, in frames, no call, session or printer traps, and no exit status
/// that comes of it turns a failure into a success.
///
/// The first byte says where the session's view begins, the second how it ends; the rest is what the
/// server sends. Stream 1 is Hello, 3 a session, 5 a subscription, 7 a list, 9 a container's status,
/// 11 a wait.
enum ClientTarget {
    private static let group: EventLoopGroup = {
        guard let group = try? EventLoopGroup(count: 1, name: "client") else {
            fatalError("no thread can be made")
        }
        return group
    }()

    static func run(_ input: Input) -> Int32 {
        var input = input
        let (place, form) = (input.takeByte(), input.takeByte())
        var view = View()
        switch place % 4 {
        case 0: view.from = .start
        case 1: view.from = .live
        case 2: view.from = .after(sequence: UInt64(place))
        default: view.from = .tail(bytes: UInt64(place))
        }
        view.noFollow = form & 1 == 1
        view.windowBytes = 1 << 20
        let (bytes, asked) = (Array(input.rest), view)
        let loop = group.next()
        do throws(Errno) {
            try loop.perform { ServerTalk(loop, asked).feed(bytes) }
        } catch {
            fatalError("the loop does not run: \(error)")
        }
        return 0
    }
}

/// One client's side of it, without a socket. The loop's thread only.
private final class ServerTalk {
    private let mailbox = Mailbox<SessionEvent>()
    private let news = Mailbox<HeldEvent>()
    private let held = HeldBytes()
    private let session: SessionDriver
    private let events: EventsDriver
    private var machine = ClientConnection.StateMachine()
    private var stampers = (LineStamper(), LineStamper())

    private static let sessionID: UInt32 = 3
    private static let eventsID: UInt32 = 5

    init(_ loop: EventLoop, _ view: View) {
        var options = ClientOptions()
        options.resumeLimit = .zero
        let core = ClientCore(
            loop: loop,
            address: .unix(path: "/nowhere"),
            tls: nil,
            token: .none,
            options: options
        )
        guard let key = try? ExecKey(container: "c", exec: "e") else { fatalError("a key") }
        session = SessionDriver(
            core: core,
            request: SessionPlan(key: key, view: view),
            mailbox: mailbox,
            window: SharedWindow(of: view)
        )
        events = EventsDriver(
            core: core,
            request: ContainerLifecycleRequest(),
            mailbox: news,
            held: held
        )
    }

    func feed(_ bytes: [UInt8]) {
        let hello = machine.connected()
        _ = machine.received(.response, on: hello)
        machine.accepted()
        let session = machine.begin(.bidirectional)
        check(session == Self.sessionID, "the session has another id")
        check(machine.begin(.serverStream) == Self.eventsID, "the events have another id")
        for _ in 0..<3 { _ = machine.begin(.unary) }
        self.session.began(Call(.session, handler: self.session))
        var decoder = FrameDecoder()
        _ = try? decoder.decode(bytes.span.bytes) { header, payload in take(header, payload) }
        self.session.lost(ExecError(.unavailable, "cut"))
        events.lost(ExecError(.unavailable, "cut"))
        show()
        _ = machine.lost()
    }

    private func take(_ header: FrameHeader, _ payload: RawSpan) {
        let kind: ClientConnection.StateMachine.Received =
            switch header.type {
            case .response: .response
            case .data:
                .data(
                    hasMessage: !header.flags.contains(.noData),
                    isLast: header.flags.contains(.remoteClosed)
                )
            default: .other
            }
        switch machine.received(kind, on: header.streamID) {
        case .message(Self.sessionID, let thenEnd):
            session.message(payload)
            if thenEnd { session.ended() }
        case .message(Self.eventsID, let thenEnd):
            events.message(payload)
            if thenEnd { events.ended() }
        case .end(Self.sessionID): session.ended()
        case .end(Self.eventsID): events.ended()
        case .response(let id): respond(id, payload)
        default: break
        }
        show()
    }

    private func respond(_ id: UInt32, _ payload: RawSpan) {
        guard let response = try? CallResponse.decode(payload) else { return }
        if let error = response.status {
            _ = Failure(error).message.printable(max: 4096)
            return
        }
        let bytes = response.payload.span.bytes
        switch id {
        case 7:
            if let list = try? ExecListResponse.decode(bytes) { show(list.execs) }
        case 9:
            guard let status = try? ContainerStatusResponse.decode(bytes) else { return }
            _ = JSON(status).text
            if let usage = status.resourceUsage { _ = StatusCommand.line(usage) }
            show(status.execs)
        case 11:
            if let answer = try? ExecWaitResponse.decode(bytes) { show([answer.info]) }
        default: break
        }
    }

    private func show(_ execs: [ExecInfo]) {
        _ = ExecTable.table(execs, nowUnixNS: 1).text(colour: true)
        for info in execs {
            _ = JSON(info).text
            if let exit = info.exit { checkStatus(exit) }
        }
    }

    /// Takes what has come, as the program does.
    private func show() {
        while case .success(let event?)? = mailbox.poll() {
            _ = JSON(event).text
            switch event {
            case .output(let output):
                let stamped =
                    output.stream == .stdout
                    ? stampers.0.stamped(output.bytes, unixNS: output.unixNS)
                    : stampers.1.stamped(output.bytes, unixNS: output.unixNS)
                check(stamped.count >= output.bytes.count, "output was lost")
            case .gap(let gap): _ = SessionPrinter.line(gap)
            case .exit(let exit): checkStatus(exit)
            default: break
            }
        }
        while case .success(let next?)? = news.poll() {
            held.remove(next.bytes)
            _ = EventsCommand.line(next.event)
            _ = JSON(next.event).text
        }
    }

    private func checkStatus(_ exit: Exit) {
        check((0...255).contains(exit.code), "an exit code is out of range")
        check(
            exit.code != 0 || exit.signal == 0 && exit.reason == .natural,
            "a failure has become a success"
        )
    }
}
