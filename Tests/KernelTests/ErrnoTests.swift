internal import Glibc
internal import Testing

@testable internal import Kernel

@Suite struct ErrnoTests {
    @Test func `names and explains an errno`() {
        #expect(Errno.notFound.description == "No such file or directory (ENOENT)")
        #expect(Errno.wouldBlock.name == "EAGAIN")
        #expect(Errno(4711).description == "Unknown error (errno 4711)")
    }

    @Test func `makes an interrupted call again`() throws {
        var answers = [-EINTR, -EINTR, 5]
        #expect(try SystemCall.value { answers.removeFirst() } == 5)
    }

    @Test func `takes a would-block for nothing yet, or for an error where it cannot be`() throws {
        #expect(try SystemCall.unlessBlocked { -EAGAIN } == nil)
        #expect(throws: Errno.wouldBlock) { try SystemCall.value { -EAGAIN } }
        #expect(throws: Errno.noSpace) { try SystemCall.unlessBlocked { -ENOSPC } }
    }

    @Test func `tells what may be better later from what is wrong`() {
        #expect(Errno(EMFILE).isShortage)
        #expect(Errno(ENFILE).isShortage)
        #expect(Errno(ENOMEM).isShortage)
        #expect(!Errno.inputOutput.isShortage)
    }

    @Test func `traps on misuse`() async {
        await #expect(processExitsWith: .failure) {
            _ = try SystemCall.value { -EBADF }
        }
        await #expect(processExitsWith: .failure) {
            _ = try SystemCall.value { -EFAULT }
        }
    }
}
