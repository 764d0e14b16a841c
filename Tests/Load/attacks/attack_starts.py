"""Users who stop what is being started as them, and file systems that do not answer: the start fails in
time, and nobody else waits."""

import ctypes
import os
import tempfile
import time
import unittest

import exec_pb2 as pb
from serving import Serving
from support import sized

START_SECONDS = sized(4, 2)
VICTIMS = sized(400, 40)
ROUNDS_MAX = 20
OTHERS = sized(200, 20)
ANSWER_SECONDS_MAX = 1.0
# Nobody else's on the machine, so that nobody else is stopped.
USER = "64417:64417"

STOPPER = """
import os, signal
print("up", flush=True)
while True:
    try: os.kill(-1, signal.SIGSTOP)
    except OSError: pass
"""


@unittest.skipUnless(os.geteuid() == 0, "starts as another user")
class Starts(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="execstream-starts-")
        self.addCleanup(directory.cleanup)
        self.serving = Serving(directory.name, options=["--start-time", f"{START_SECONDS}s"])
        self.serving.start()
        self.addCleanup(self.serving.kill)

    def test_a_user_who_stops_all_its_processes_makes_nobody_else_wait(self):
        with self.serving.connect() as attacker, self.serving.connect() as honest:
            attack = self.start(attacker, "attack", ["python3", "-c", STOPPER], user=USER)
            self.wait_for(attack, lambda message: message.WhichOneof("msg") == "output")
            exits, worst = [], 0
            for round_ in range(ROUNDS_MAX):
                for number in range(VICTIMS):
                    self.start(attacker, f"victim-{round_}-{number}", user=USER)
                worst = max(worst, self.start_others(honest, round_))
                # Those that were stopped before their program ran fail in time, 64 at once; those that were
                # stopped after that run, and stay so.
                exits = self.start_failures(VICTIMS)
                if exits:
                    break
            print(f"worst start beside: {worst * 1000:.0f} ms; stopped in time: {len(exits)}")
            self.assertGreater(len(exits), 0, "no start was stopped: there was no attack")
            for message in exits:
                self.assertIn("the start did not finish in", message)
            self.assertLess(worst, ANSWER_SECONDS_MAX)

    def test_a_file_system_that_hangs_makes_nobody_wait(self):
        with HungFileSystem(self) as path, self.serving.connect() as client, \
                self.serving.connect() as honest:
            begun = time.monotonic()
            hung = []
            for number in range(60):
                where = {"working_dir": f"{path}/x"} if number % 2 else {"argv": [f"{path}/x"]}
                hung.append(self.start(client, f"hung-{number}", **where))
            worst = self.start_others(honest)
            print(f"worst start beside: {worst * 1000:.0f} ms")
            self.assertLess(worst, ANSWER_SECONDS_MAX)
            for session in hung:
                exit = self.wait_for(session, lambda message: message.WhichOneof("msg") == "exit").exit
                self.assertEqual(exit.reason, pb.EXIT_REASON_START_FAILED)
                self.assertIn("it hung while", exit.message)
            self.assertLess(time.monotonic() - begun, 10 * START_SECONDS)

    def start(self, connection, name, argv=("true",), **command):
        session = connection.call_with_stream("Session")
        start = pb.Start(container_id="starts", exec_id=name)
        start.command.argv.extend(command.pop("argv", argv))
        for field, value in command.items():
            setattr(start.command, field, value)
        session.send(pb.SessionRequest(start=start))
        return session

    def start_others(self, connection, round_=0):
        """Starts, one after the other; returns how long the slowest took from Start to its exit."""
        worst = 0
        for number in range(OTHERS):
            begun = time.monotonic()
            session = self.start(connection, f"other-{round_}-{number}")
            exit = self.wait_for(session, lambda message: message.WhichOneof("msg") == "exit").exit
            self.assertEqual((exit.code, exit.reason), (0, pb.EXIT_REASON_NATURAL))
            worst = max(worst, time.monotonic() - begun)
        return worst

    def start_failures(self, count):
        """The messages of all START_FAILED among the victims, once none of them is being started."""
        deadline = time.monotonic() + START_SECONDS * (count // 64 + 2) + 30
        while True:
            execs = [info for info in self.serving.execs() if info.exec_id.startswith("victim")]
            if not any(info.state == pb.EXEC_STATE_PENDING for info in execs):
                return [info.exit.message for info in execs if info.exit.reason == pb.EXIT_REASON_START_FAILED]
            self.assertLess(time.monotonic(), deadline, "starts stay pending")
            time.sleep(0.1)

    def wait_for(self, session, is_it):
        for message in session:
            if is_it(message):
                return message
        self.fail("the session ended before")


class HungFileSystem:
    """A mounted FUSE file system whose server, this process, answers nothing."""

    def __init__(self, test):
        self._test = test
        self._libc = ctypes.CDLL(None, use_errno=True)

    def __enter__(self):
        self._directory = tempfile.mkdtemp(prefix="execstream-hung-")
        try:
            self._device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            os.rmdir(self._directory)
            self._test.skipTest(f"no FUSE here: {error}")
        options = f"fd={self._device},rootmode=40000,user_id=0,group_id=0"
        path = os.fsencode(self._directory)
        if self._libc.mount(b"hung", path, b"fuse", 0, options.encode()):
            os.close(self._device)
            os.rmdir(self._directory)
            self._test.skipTest(f"no FUSE here: {os.strerror(ctypes.get_errno())}")
        return self._directory

    def __exit__(self, *_):
        self._libc.umount2(os.fsencode(self._directory), 2)  # MNT_DETACH
        os.close(self._device)
        os.rmdir(self._directory)
