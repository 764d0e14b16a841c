// The fuzz targets: `fuzz TARGET [ARGUMENT]...`, with libFuzzer's own arguments. Scripts/fuzz builds
// and runs this.
//
// A target takes any bytes, and checks what must hold of whatever comes of them: a property that does
// not hold traps, which libFuzzer reports with the bytes.
internal import CFuzzer
internal import Glibc

var words = CommandLine.arguments
guard words.count > 1 else {
    print("usage: fuzz frames|messages|index|command-line|client [LIBFUZZER-ARGUMENT]...")
    exit(2)
}
let target = words.remove(at: 1)
// libFuzzer keeps them for as long as the process lives.
var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
var count = Int32(words.count)
let status = arguments.withUnsafeMutableBufferPointer { buffer -> Int32 in
    guard var start = buffer.baseAddress else { return 2 }
    return switch target {
    case "frames": LLVMFuzzerRunDriver(&count, &start, { FramesTarget.run(.lent($0, $1)) })
    case "messages": LLVMFuzzerRunDriver(&count, &start, { MessagesTarget.run(.lent($0, $1)) })
    case "index": LLVMFuzzerRunDriver(&count, &start, { IndexTarget.run(.lent($0, $1)) })
    case "command-line":
        LLVMFuzzerRunDriver(&count, &start, { CommandLineTarget.run(.lent($0, $1)) })
    case "client": LLVMFuzzerRunDriver(&count, &start, { ClientTarget.run(.lent($0, $1)) })
    default: 2
    }
}
exit(status)
