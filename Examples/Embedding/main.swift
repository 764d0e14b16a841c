// Work of this program's own, kept in its own files, that any number of people may watch:
// `EmbeddingExample DIRECTORY`; `execstream attach --address unix:DIRECTORY/execstream.sock web/build`
internal import ExecServer

let directory = CommandLine.arguments.dropFirst().first ?? "."

// The registry is this program's; the server shows it to others. A Unix socket admits the same user.
let registry = ExecSessionRegistry(configuration: RegistryConfiguration(stateDirectory: directory))
let options = ServerOptions(listen: ["unix:\(directory)/execstream.sock"])
let server = try ExecServer(registry: registry, options: options)
for address in try server.start() { print("listening on \(address)") }

let key = try ExecKey(container: "web", exec: "build")
let exec = try registry.register(key, labels: ["branch": "main"])

// The file comes first and its failure is ours; the exec comes second and never waits for a viewer.
let stdout = TeeWriter(
    primary: try FileSink(path: "\(directory)/build.stdout"),
    secondary: exec.stdout,
)
let stderr = TeeWriter(
    primary: try FileSink(path: "\(directory)/build.stderr"),
    secondary: exec.stderr,
)

for step in 1...10 {
    try stdout.write("step \(step) of 10\n")
    if step == 7 { try stderr.write("step 7: one warning\n") }
    try await Task.sleep(for: .milliseconds(300))
}

// Everybody who watches is told this after the last byte, and so is whoever asks later.
let exit = exec.finish(code: 0)
print("\(key) exited with \(exit.code) after \(exit.stdoutBytes) + \(exit.stderrBytes) bytes")

// Without this it would be kept for the retention's time, five minutes.
try registry.unregister(key)
await server.shutDown()
