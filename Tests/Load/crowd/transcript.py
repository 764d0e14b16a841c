"""What one client is sent of an exec, checked as it comes: every byte, and the exit."""

import exec_pb2 as pb

STREAMS = ("stdout", "stderr")


class Wrong(Exception):
    """The server said something that is not true."""


def expect(holds, *what):
    if not holds:
        raise Wrong(" ".join(str(each) for each in what))


class Transcript:
    """Checks each chunk against what the exec writes; it may go on after a break, on another stream."""

    def __init__(self, soak, patterns):
        self._soak = soak
        self._expected = {name: Expected(patterns[name]()) for name in STREAMS}
        self.sequence = 0
        self.exit = None

    def take(self, message):
        """Checks one message; answers how many bytes of output were in it."""
        expect(self.exit is None, "something came after the exit")
        kind = message.WhichOneof("msg")
        expect(kind != "gap", "a gap, though nobody asked to skip anything")
        if kind == "exit":
            self.exit = message.exit
            self._check_totals()
        if kind != "output":
            return 0
        output = message.output
        expect(output.sequence == self.sequence + 1, "sequence", output.sequence, "after",
               self.sequence)
        self.sequence = output.sequence
        name = output.WhichOneof("data")
        data = getattr(output, name)
        self._expected[name].take(output.offset, data)
        self._soak.count("bytes checked", len(data))
        return len(data)

    def to_the_end(self, stream):
        for message in stream:
            self.take(message)
        expect(self.exit is not None, "the stream ended without an exit")

    def _check_totals(self):
        told = self.exit
        expect(told.last_sequence == self.sequence, "the exit tells another last sequence")
        for name in STREAMS:
            expect(getattr(told, f"{name}_bytes") == self._expected[name].count,
                   "the exit tells another number of bytes of", name)
        self._soak.count("exits checked")

    def check_whole(self, code, reason=pb.EXIT_REASON_NATURAL):
        """It ended by itself, so all was written that it writes."""
        self.check_exit(code, reason)
        for name in STREAMS:
            expect(self._expected[name].is_at_end(), name, "is not whole")

    def check_exit(self, code, reason, cause=pb.STOP_CAUSE_UNSPECIFIED):
        told = (self.exit.code, self.exit.reason, self.exit.cause)
        expect(told == (code, reason, cause), "exit", told, "and not", (code, reason, cause))


class Expected:
    """A row of bytes that is not held as a whole."""

    def __init__(self, pieces):
        self._pieces = iter(pieces)
        self._ahead = b""
        self.count = 0

    def take(self, offset, data):
        expect(offset == self.count, "offset", offset, "after", self.count)
        while len(self._ahead) < len(data):
            piece = next(self._pieces, None)
            expect(piece is not None, "more bytes than were written")
            self._ahead += piece
        expect(self._ahead.startswith(data), "a wrong byte after", self.count)
        self._ahead = self._ahead[len(data):]
        self.count += len(data)

    def is_at_end(self):
        return not self._ahead and next(self._pieces, None) is None
