import ExecClient
import Testing

@testable import execstream

/// What is shown of a server's numbers and names, which may be any.
@Suite struct ExtremePrinterTests {
    static let numbers: [UInt64] = [
        0, 1, 2, 999_999_999, 1 << 31, 1 << 32, 1 << 53, (1 << 63) - 1, 1 << 63, .max - 1, .max,
    ]

    @Test func `every moment has a timestamp`() {
        #expect(Timestamp.text(unixNS: .min) == "1677-09-21T00:12:43.145224Z")
        #expect(Timestamp.text(unixNS: .max) == "2262-04-11T23:47:16.854775Z")
        #expect(Timestamp.text(unixNS: -1_000_000_000) == "1969-12-31T23:59:59.000000Z")
        #expect(Timestamp.text(unixNS: -1) == "1969-12-31T23:59:59.999999Z")
        for number in Self.numbers {
            let time = Int64(bitPattern: number)
            var stamper = LineStamper()
            #expect(stamper.stamped([10, 65], unixNS: time).count == 2 * 28 + 2)
            #expect(stamper.stamped([66], unixNS: ~time) == [66])
        }
    }

    @Test func `every gap has a line`() {
        for one in Self.numbers {
            for other in Self.numbers {
                let gap = Gap(
                    firstSequence: one,
                    lastSequence: other,
                    stdoutBytes: one,
                    stderrBytes: other,
                )
                #expect(SessionPrinter.line(gap).hasSuffix("were skipped"))
                #expect(JSON(SessionEvent.gap(gap)).text.contains("\"event\":\"gap\""))
            }
        }
        let gap = Gap(firstSequence: 3, lastSequence: 4, stdoutBytes: .max, stderrBytes: 1)
        #expect(SessionPrinter.line(gap) == "2 chunks of output (16 EiB) were skipped")
    }

    @Test func `every exec has a row, a line and an object`() {
        for number in Self.numbers {
            let (time, small) = (Int64(bitPattern: number), UInt32(truncatingIfNeeded: number))
            var info = ExecInfo(containerID: "c", execID: "e")
            info.pid = Int32(bitPattern: small)
            info.viewers = small
            info.window = WindowSize(rows: small, columns: small)
            info.stdoutBytes = number
            info.stderrBytes = .max
            info.startedUnixNS = time
            info.createdUnixNS = ~time
            for finished in Self.numbers {
                info.exit = Exit(
                    code: info.pid,
                    reason: .natural,
                    signal: ~info.pid,
                    lastSequence: number,
                    holderPIDs: [.min, .max],
                    finishedUnixNS: Int64(bitPattern: finished),
                    usage: Usage(userUS: number, systemUS: number, maxRSSBytes: number),
                )
                for now in [Int64.min, -1, 0, .max] {
                    #expect(ExecTable.table([info], nowUnixNS: now).text(colour: true) != "")
                }
                let event = LifecycleEvent(
                    sequence: number,
                    unixNS: time,
                    kind: .exited,
                    info: info,
                    missed: finished,
                )
                #expect(EventsCommand.line(event).contains("c/e"))
                #expect(JSON(event).text.contains("\"exec_id\":\"e\""))
            }
        }
    }

    @Test func `every usage has a line and an object`() {
        let percents: [Double] = [
            0, -1, 1e300, .infinity, -.infinity, .nan, .leastNonzeroMagnitude,
        ]
        for percent in percents {
            for number in Self.numbers {
                var usage = ResourceUsage()
                usage.cpuPercent = percent
                usage.memoryBytes = number
                usage.memoryLimitBytes = number
                usage.ioReadBytes = number
                usage.ioWriteBytes = number
                usage.pids = UInt32(truncatingIfNeeded: number)
                #expect(StatusCommand.line(usage).hasPrefix("cpu "))
                #expect(JSON(usage).text.contains("cpu_percent"))
            }
        }
    }

    @Test(
        arguments: [
            (0, "0.0"), (0.04, "0.0"), (0.05, "0.1"), (99.5, "99.5"), (100, "100.0"),
            (1234.56, "1234.6"),
        ] as [(Double, String)]
    )
    func `a line has the percentage that the server tells`(_ percent: Double, _ text: String) {
        var usage = ResourceUsage()
        usage.cpuPercent = percent
        #expect(StatusCommand.line(usage).hasPrefix("cpu \(text) %,"))
    }

    @Test func `names that a server makes up neither act on a terminal nor fill it`() {
        var info = ExecInfo(
            containerID: "\u{1B}[2J\u{202E}",
            execID: String(repeating: "x", count: 9999)
        )
        info.argv = ["a\u{1B}]0;b\u{7}", String(repeating: "y", count: 9999)]
        let table = ExecTable.table([info], nowUnixNS: 0).text(colour: false)
        let event = LifecycleEvent(sequence: 1, unixNS: 0, kind: .started, info: info)
        for text in [table, EventsCommand.line(event)] {
            let scalars = text.unicodeScalars
            #expect(!scalars.contains { $0.value < 32 && $0 != "\n" || $0 == "\u{202E}" })
            #expect(text.count < 1000)
        }
        #expect("a\tb\n\u{1B}c".printableLines == "a\tb\n\\u{1b}c")
        #expect("abc".printable(max: 3) == "abc" && "abcd".printable(max: 3) == "ab…")
    }

    @Test(
        arguments: [
            (0, 0), (7, 7), (255, 255), (256, 255), (257, 1), (-1, 255), (-256, 255), (512, 255),
            (Int32.min, 255), (Int32.max, 255),
        ] as [(Int32, Int32)]
    )
    func `no code but 0 ends the program with 0`(code: Int32, kept: Int32) {
        #expect(ExitCode.forKernel(code) == kept)
    }
}
