// The program: serve, run, attach, … It parses, calls, and prints; the floors below do the work.
//
// What may live here: reading the command line, and text for people and programs. What may not:
// anything a caller of ExecClient or ExecServer would need too.
internal import Glibc
internal import Kernel

// Before anything secret is in memory.
ThisProcess.forgoCrashReports()
// Before anything is opened.
ThisProcess.completeStandardDescriptors()
ThisProcess.returnFreedMemory()
let words = Array(CommandLine.arguments.dropFirst())
// Before any thread is made: one that is made earlier would still be killed by them.
SignalSource.block(Program.blockedSignals(for: words))
SignalSource.ignoreBrokenPipes()
// Detached, and this thread parked: an asynchronous `main` hands the thread to Dispatch, which takes
// the signals off their mask again.
Task.detached {
    let context = Context(environment: Environment.variables, isRoot: geteuid() == 0)
    exit(ExitCode.forKernel(await Program.run(words, context)))
}
while true { pause() }
