"""Calls that wait for a start that hangs, and end before it does: nothing of them is kept, and the end of
the start makes nobody wait.
"""

import os
import tempfile
import time
import unittest

import exec_pb2 as pb
import ttrpc_pb2
from attack_starts import HungFileSystem
from serving import Serving
from support import (
    DATA, REMOTE_OPEN, REQUEST, SERVICE, Flooder, flood, frame, request_frame, session_frames, sized,
    worst_answer_during,
)

FLOOD_SECONDS = sized(8, 2)
WAITING = sized(990, 300)
CONNECTIONS = sized(40, 10)
MORE_BYTES_MAX = 64 << 20
WORST_SECONDS_MAX = sized(0.15, 0.3)


@unittest.skipUnless(os.geteuid() == 0, "mounts a file system")
class Pending(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="execstream-pending-")
        self.addCleanup(directory.cleanup)
        self.serving = Serving(
            directory.name, options=["--start-time", "50s", "--log-level", "error"])
        self.serving.start()
        self.addCleanup(self.serving.kill)
        hung = HungFileSystem(self)
        path = hung.__enter__()
        self.addCleanup(hung.__exit__)
        client = self.serving.connect()
        self.addCleanup(client.__exit__)
        self.starter = client.call_with_stream("Session")
        start = pb.Start(container_id="c", exec_id="hung")
        start.command.working_dir = f"{path}/x"
        start.command.argv.append("true")
        self.starter.send(pb.SessionRequest(start=start))
        while not self.serving.execs():
            time.sleep(0.01)

    def flooders(self, count):
        flooders = [Flooder(self.serving.unix) for _ in range(count)]
        for flooder in flooders:
            self.addCleanup(flooder.close)
        return flooders

    def more_bytes_after(self, data):
        """What the server has grown by when this was sent again and again."""
        before = self.serving.resident_bytes()
        deadline = time.monotonic() + FLOOD_SECONDS
        flooders = self.flooders(4)
        while time.monotonic() < deadline:
            flood(flooders, data, lambda: False, 0.5)
            for flooder in flooders:
                flooder.close()
            flooders = self.flooders(4)
        return self.serving.resident_bytes() - before

    def test_sessions_that_leave_leave_nothing_behind(self):
        attach = pb.SessionRequest(start=pb.Start(container_id="c", exec_id="hung"))
        detach = pb.SessionRequest(detach=pb.Detach()).SerializeToString()
        data = b"".join(
            request_frame(1 + 2 * number, "Session", attach, REMOTE_OPEN)
            + frame(1 + 2 * number, DATA, 0, detach) for number in range(40_000))
        self.assertLess(self.more_bytes_after(data), MORE_BYTES_MAX)

    def test_signals_whose_time_is_over_leave_nothing_behind(self):
        signal = pb.ExecSignalRequest(container_id="c", exec_id="hung", signal=pb.Signal(number=18))
        request = ttrpc_pb2.Request(
            service=SERVICE, method="ExecSignal", timeout_nano=1, payload=signal.SerializeToString()
        ).SerializeToString()
        data = b"".join(frame(1 + 2 * number, REQUEST, 0, request) for number in range(40_000))
        self.assertLess(self.more_bytes_after(data), MORE_BYTES_MAX)

    def test_the_end_of_a_start_that_many_wait_for_makes_nobody_wait(self):
        attach = session_frames(WAITING, pb.Start(container_id="c", exec_id="hung"))
        flooders = self.flooders(CONNECTIONS)
        for flooder in flooders:
            flooder.send(attach)

        def end():
            with self.serving.connect() as client:
                client.call("ExecStop", pb.ExecStopRequest(container_id="c", exec_id="hung"))
            for flooder in flooders:
                flooder.receive_from(WAITING)

        worst = worst_answer_during(self.serving, end)
        print(f"    {CONNECTIONS * WAITING} Sessions were told")
        self.assertLess(worst, WORST_SECONDS_MAX)
