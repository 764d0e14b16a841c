"""Clients that type into one exec, and what others of them can do to keep somebody from typing."""

import time
import unittest

import exec_pb2 as pb
from serving import TemporaryServing
from support import Flooder, frame, raise_descriptor_limit, session_frames, sized
from ttrpc_client import DATA, Failed

CROWD = sized(1_000, 100)
HOARDERS = sized(900, 100)
BULK_BYTES = sized(32 << 20, 2 << 20)
LEAVERS = sized(5_000, 500)
LINE = b"a line of the honest client\n"
MIB = 1 << 20
RESOURCE_EXHAUSTED = 8


class Typist:
    """A client that keeps within its credit."""

    def __init__(self, connection, name, command=None):
        self.stream = connection.call_with_stream("Session")
        start = pb.Start(container_id="c", exec_id=name)
        if command:
            start.command.argv.extend(command)
            start.command.stdin = True
        self.stream.send(pb.SessionRequest(start=start))
        self.credit = next(self.stream).ready.stdin_credit
        self.output = b""

    def take(self):
        """Takes one message of the server's."""
        message = next(self.stream)
        self.credit += message.stdin_credit.bytes
        if message.WhichOneof("msg") == "output":
            self.output += message.output.stdout

    def send(self, data):
        """Sends all of it, as credit comes."""
        while data:
            while self.credit == 0:
                self.take()
            part = data[:min(self.credit, 64 << 10)]
            self.stream.send(pb.SessionRequest(stdin=part))
            self.credit -= len(part)
            data = data[len(part):]

    def wait_for(self, count, what):
        """Takes messages until the exec's output has `what` in it so many times."""
        while self.output.count(what) < count:
            self.take()


class Stdin(unittest.TestCase):
    def setUp(self):
        raise_descriptor_limit()
        self.serving = TemporaryServing()
        self.addCleanup(self.serving.kill)

    def connect(self):
        connection = self.serving.connect()
        self.addCleanup(connection.__exit__)
        return connection

    def crowd(self, name, count):
        """Opens `count` streams that may type and take no output, and returns the connection."""
        start = pb.Start(container_id="c", exec_id=name)
        start.view.live = True
        start.view.window_bytes = 1
        flooder = Flooder(self.serving.unix)
        self.addCleanup(flooder.close)
        flooder.send(session_frames(count, start))
        flooder.receive_from(count)
        return flooder

    @staticmethod
    def stdin_frame(number, data):
        return frame(1 + 2 * number, DATA, 0, pb.SessionRequest(stdin=data).SerializeToString())

    def test_each_of_a_crowd_sends_a_line_and_all_arrive(self):
        owner = Typist(self.connect(), "crowd", ["cat"])
        typists = [Typist(self.connect(), "crowd") for _ in range(20)]
        for typist in typists:
            self.assertGreaterEqual(typist.credit, len(LINE))
            typist.send(LINE)
        owner.wait_for(20, LINE)
        for start in range(0, CROWD, 500):
            count = min(500, CROWD - start)
            flooder = self.crowd("crowd", count)
            flooder.send(b"".join(
                self.stdin_frame(number, b"line of %d;\n" % (start + number))
                for number in range(count)))
        owner.wait_for(CROWD, b";\n")
        lines = set(owner.output.replace(LINE, b"").split(b"\n")[:-1])
        self.assertEqual(lines, {b"line of %d;" % number for number in range(CROWD)})

    def test_clients_that_hoard_credit_do_not_keep_others_from_typing(self):
        owner = Typist(self.connect(), "hoard", ["cat"])
        hoarders = self.crowd("hoard", HOARDERS)
        # Each writes what it may, gets more for that, and then says nothing for ever.
        for _ in range(4):
            hoarders.send(b"".join(
                self.stdin_frame(number, b"h" * 255 + b"\n") for number in range(HOARDERS)))
            owner.wait_for(HOARDERS, b"h\n")
            owner.output = b""
        self.assertEqual(hoarders.failures, [])
        honest = Typist(self.connect(), "hoard")
        self.assertGreaterEqual(honest.credit, len(LINE))
        honest.send(LINE)
        honest.wait_for(1, LINE)

    def test_a_large_input_passes_beside_hoarders(self):
        owner = Typist(self.connect(), "bulk", ["sh", "-c", "head -c %d | wc -c" % BULK_BYTES])
        self.crowd("bulk", HOARDERS)
        honest = Typist(self.connect(), "bulk")
        began = time.monotonic()
        honest.send(b"x" * BULK_BYTES)
        owner.wait_for(1, b"\n")
        self.assertEqual(int(owner.output), BULK_BYTES)
        self.assertLess(time.monotonic() - began, sized(60, 20))

    def test_more_than_the_credit_ends_that_session_alone(self):
        owner = Typist(self.connect(), "over", ["sleep", "3600"])
        over = Typist(self.connect(), "over")
        for count in (over.credit + 1, 3 * MIB):
            greedy = Typist(self.connect(), "over")
            greedy.stream.send(pb.SessionRequest(stdin=b"x" * count))
            with self.assertRaises(Failed) as caught:
                while True:
                    next(greedy.stream)
            self.assertEqual(caught.exception.code, RESOURCE_EXHAUSTED)
        # The pipe takes some of this, and the client gets credit back for that, but not for all.
        for _ in range(64):
            over.stream.send(pb.SessionRequest(stdin=b"x" * 4_096))
        with self.assertRaises(Failed):
            while True:
                next(over.stream)
        owner.send(LINE)
        self.assertEqual(self.serving.execs()[0].viewers, 1)

    def test_what_an_exec_never_reads_is_bounded(self):
        Typist(self.connect(), "deaf", ["sleep", "3600"])
        flooder = self.crowd("deaf", HOARDERS)
        before = self.serving.resident_bytes()
        # The pieces that cost most: one byte each, of another client every time.
        turn = b"".join(self.stdin_frame(number, b"x") for number in range(HOARDERS))
        for _ in range(1_000):
            flooder.send(turn)
        self.assertEqual(flooder.failures, [])
        self.serving.execs()
        self.assertLess(self.serving.resident_bytes() - before, 96 * MIB)

    def test_clients_that_leave_their_bytes_behind_do_not_add_up(self):
        Typist(self.connect(), "left", ["sleep", "3600"])
        before = self.serving.resident_bytes()
        sent = 0
        connection = self.connect()
        for _ in range(LEAVERS):
            leaver = Typist(connection, "left")
            if leaver.credit:
                leaver.stream.send(pb.SessionRequest(stdin=b"x" * leaver.credit))
                sent += leaver.credit
            leaver.stream.send(pb.SessionRequest(detach=pb.Detach()))
            for _ in leaver.stream:
                pass
        # Twice the pool, the last first grant, and what the pipe itself takes.
        self.assertLess(sent, 700 << 10)
        self.assertLess(self.serving.resident_bytes() - before, 32 * MIB)
        # A client that comes now has to wait until the exec reads, and may do all else.
        late = Typist(self.connect(), "left")
        self.assertEqual(late.credit, 0)
        late.stream.send(pb.SessionRequest(signal=pb.Signal(number=9)))
        self.assertEqual([m for m in late.stream][-1].exit.signal, 9)


if __name__ == "__main__":
    unittest.main()
