#if DEBUG
    internal import Glibc
    internal import Synchronization

    /// System calls that fail without being made, for tests; builds for use do not have it.
    ///
    /// - `EXECSTREAM_FAULT=PLACE:N=ERRNO` has the Nth call that is made at a place end with that number.
    ///   A place is a line of a file on this floor: `Files.swift:43`.
    /// - `EXECSTREAM_FAULT_PLACES=FILE` writes each call's place to a file, as a line.
    final class Faults: Sendable {
        private let place: Place?
        private let turn: Int
        private let errno: Int32
        /// Calls at the place so far.
        private let calls = Mutex(0)
        /// Where places are written to; never closed.
        private let record: Int32?

        private struct Place: Equatable {
            var file: String
            var line: UInt
        }

        private static let planned = Faults()

        /// What the call that is about to be made at this place ends with; nil: it is to be made.
        static func due(_ file: StaticString, _ line: UInt) -> Int32? { planned?.due(file, line) }

        private init?() {
            let fault = getenv("EXECSTREAM_FAULT").map { String(cString: $0) }
            let places = getenv("EXECSTREAM_FAULT_PLACES").map { String(cString: $0) }
            if fault == nil, places == nil { return nil }
            record = places.map { open($0, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600) }
            guard let fault else {
                (place, turn, errno) = (nil, 0, 0)
                return
            }
            let words = fault.split { ":=".contains($0) }
            guard words.count == 4, let line = UInt(words[1]), let turn = Int(words[2]),
                let errno = Int32(words[3])
            else { preconditionFailure("EXECSTREAM_FAULT=\(fault) is not PLACE:N=ERRNO") }
            place = Place(file: String(words[0]), line: line)
            (self.turn, self.errno) = (turn, errno)
        }

        private func due(_ file: StaticString, _ line: UInt) -> Int32? {
            let here = Place(file: String(describing: file.lastPart), line: line)
            if let record {
                let text = "\(here.file):\(line)\n"
                _ = text.withCString { write(record, $0, strlen($0)) }
            }
            guard here == place else { return nil }
            let number = calls.withLock { calls in
                calls += 1
                return calls
            }
            return number == turn ? errno : nil
        }
    }

    extension StaticString {
        /// What stands behind the last "/".
        fileprivate var lastPart: Substring {
            let text = description
            return text[(text.lastIndex(of: "/").map(text.index(after:)) ?? text.startIndex)...]
        }
    }
#endif
