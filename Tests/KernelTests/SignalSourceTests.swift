internal import Glibc
internal import Testing

@testable internal import Kernel

@Suite(.timeLimit(.minutes(1))) struct SignalSourceTests {
    @Test func `tells of signals on the loop until it is cancelled`() async {
        await #expect(processExitsWith: .success) {
            // Blocked in every thread that is made from now on; the ones there are were made by the
            // test's own machinery, so the signal goes to a thread of ours.
            let group = try EventLoopGroup(count: 1, name: "test")
            defer { group.shutdown() }
            let loop = group.next()
            let told: [Int32] = try await loop.finish { done in
                var (told, source): ([Int32], SignalSource?) = ([], nil)
                source = try SignalSource([SIGUSR1, SIGUSR2], on: loop) { signal in
                    told.append(signal)
                    if told.count == 1 {
                        pthread_kill(pthread_self(), SIGUSR2)
                    } else {
                        source?.cancel()
                        source = nil
                        pthread_kill(pthread_self(), SIGUSR2)
                        loop.schedule(after: .zero) { done(told) }
                    }
                }
                pthread_kill(pthread_self(), SIGUSR1)
            }
            #expect(told == [SIGUSR1, SIGUSR2])
            if told != [SIGUSR1, SIGUSR2] { abort() }
        }
    }

    @Test func `blocks signals in the calling thread`() async {
        await #expect(processExitsWith: .success) {
            SignalSource.block([SIGTERM])
            pthread_kill(pthread_self(), SIGTERM)
            var pending = sigset_t()
            sigpending(&pending)
            if sigismember(&pending, SIGTERM) != 1 { abort() }
        }
    }

    @Test func `ignores broken pipes where asked, but not for children`() async {
        await #expect(processExitsWith: .success) {
            SignalSource.ignoreBrokenPipes()
            raise(SIGPIPE)
            let end = try await outcome(of: sh("kill -PIPE $$")).end
            #expect(end.signal == SIGPIPE)
        }
    }
}
