// Runs a command on a server and prints what happens: `ClientExample ADDRESS COMMAND [ARG]...`,
// with ADDRESS as in `unix:/run/execstream.sock` or `tcp:127.0.0.1:7070`.
internal import ExecClient
internal import Glibc

let arguments = CommandLine.arguments.dropFirst()
guard let address = arguments.first, arguments.count > 1 else {
    print("usage: ClientExample ADDRESS COMMAND [ARG]...")
    exit(2)
}

// Whoever sends the same start again, with the same name, joins this exec: it never runs twice.
let key = try ExecKey(container: "example", exec: "client-\(getpid())")
let command = Command(Array(arguments.dropFirst()))
let token = getenv("EXECSTREAM_TOKEN").map { String(cString: $0) }

try await ExecClient.withClient(address: address, token: token) { client in
    for try await event in client.run(key, command).events {
        switch event {
        case .ready(let ready):
            print("\(key): pid \(ready.info.pid), \(ready.joined ? "joined" : "started")")
        case .output(let chunk):
            let text = String(decoding: chunk.bytes, as: UTF8.self)
            print("\(chunk.sequence) \(chunk.stream) at \(chunk.offset): \(text.debugDescription)")
        case .gap(let gap):
            print("skipped \(gap.firstSequence) to \(gap.lastSequence)")
        case .ended(let end):
            print("ended with \(end.code); draining")
        case .state(let change):
            print("now \(change.state)")
        case .resized(let size):
            print("the terminal has \(size.rows) rows and \(size.columns) columns now")
        case .resumed:
            print("the connection broke and is back; nothing is lost or doubled")
        case .exit(let exit):
            print("exited with \(exit.code), \(exit.reason)")
        }
    }
}
