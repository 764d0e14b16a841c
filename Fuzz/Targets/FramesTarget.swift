@testable internal import Wire

/// The frame decoder: however the bytes are cut, the frames are the same, and none is over the bound.
///
/// The first four bytes say how long the pieces are, in turn; the rest is the stream.
enum FramesTarget {
    private static let payloadBytesMax = 300

    private struct Frame: Equatable {
        var header: FrameHeader
        var payload: [UInt8]
    }

    private struct Outcome: Equatable {
        var frames: [Frame] = []
        var isRefused = false
        var isMidFrame = false
    }

    static func run(_ input: Input) -> Int32 {
        var input = input
        let lengths = input.take(4).map { Int($0) + 1 }
        guard lengths.count == 4 else { return -1 }
        let whole = decode(input.rest, pieces: [max(1, input.rest.count)])
        let cut = decode(input.rest, pieces: lengths)
        // Where it is refused, frames that were complete before that have been handed over.
        check(whole == cut, "the frames depend on how the bytes were cut")
        for frame in whole.frames {
            check(frame.payload.count <= payloadBytesMax, "a payload is over the bound")
            let expected = frame.header.isOversized ? 0 : frame.header.length
            check(frame.payload.count == expected, "a payload has another length than its header")
            check(
                frame.header.isOversized == (frame.header.length > payloadBytesMax),
                "a frame is oversized that is not, or the other way round",
            )
        }
        return 0
    }

    private static func decode(_ bytes: UnsafeRawBufferPointer, pieces: [Int]) -> Outcome {
        var decoder = FrameDecoder(payloadBytesMax: payloadBytesMax)
        var outcome = Outcome()
        var rest = bytes
        var turn = 0
        while !rest.isEmpty {
            let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(pieces[turn % pieces.count]))
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(piece.count))
            turn += 1
            do throws(NotFrames) {
                try decoder.decode(RawSpan(_unsafeBytes: piece)) { header, payload in
                    let bytes = payload.withUnsafeBytes { Array($0) }
                    outcome.frames.append(Frame(header: header, payload: bytes))
                }
            } catch {
                outcome.isRefused = true
                return outcome
            }
            check(
                decoder.gatheredCapacity <= max(16 * 1024, 4 * payloadBytesMax),
                "the decoder holds more than a frame",
            )
        }
        outcome.isMidFrame = decoder.isMidFrame
        return outcome
    }
}
