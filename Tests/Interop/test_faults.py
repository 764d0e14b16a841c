"""One system call of the server fails, each in its turn, and everybody is told the truth all the same.

    EXECSTREAM_FAULTS=all Scripts/test-interop .build/debug/execstream -k FaultTests

A run of one story is watched for the places where the server calls the system (see Faults.swift). Then
the story is told again with one of those calls failing: the server may refuse to start, and a call may
fail, but what is answered is right, the next exec has everything, and the end is clean.

$EXECSTREAM_FAULTS says how many such runs for each place (1), drawn by $EXECSTREAM_SEED; "all" takes each
call with each errno, and PLACE:N=ERRNO one alone. Debug builds only: others have no faults.
"""

import collections
import errno
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import unittest

import exec_pb2 as pb
from serving import PROGRAM, Serving, groups_of, processes_marked
from ttrpc_client import Closed, Failed

RUNS = os.environ.get("EXECSTREAM_FAULTS", "1")
SEED = int(os.environ.get("EXECSTREAM_SEED", random.SystemRandom().randrange(1 << 32)))
MARK = "EXECSTREAM_FAULT_TEST"
# Beyond this many calls at one place, a further one is in no other situation.
TURNS_MAX = 12
ERRNOS = (errno.EIO, errno.ENOMEM, errno.ENOSPC, errno.EMFILE, errno.EAGAIN, errno.EINTR)
NAMES = {"container_id": "c"}
STDIN = bytes(range(256)) * 300
WRITTEN = {"stdout": b"out\n" + STDIN, "stderr": b"err\n"}


def begin(exec_id, script, **options):
    start = pb.Start(**NAMES, exec_id=exec_id)
    start.command.MergeFrom(pb.Command(argv=["sh", "-c", script], **options))
    return start


class Viewer:
    """Follows one exec, and knows what it was told."""

    def __init__(self, written):
        self.written = written
        self.ends = collections.Counter()
        self.exit = None
        self.sequence = 0

    def take(self, message):
        if message.HasField("output"):
            name = message.output.WhichOneof("data")
            data = getattr(message.output, name)
            offset = message.output.offset
            assert message.output.sequence == self.sequence + 1, "a chunk is missing or doubled"
            assert offset == self.ends[name], "bytes are missing or doubled"
            assert self.written[name][offset : offset + len(data)] == data, "other bytes"
            self.ends[name] += len(data)
            self.sequence = message.output.sequence
        elif message.HasField("gap"):
            assert message.gap.first_sequence == self.sequence + 1, "a gap is elsewhere"
            self.ends["stdout"] += message.gap.stdout_bytes
            self.ends["stderr"] += message.gap.stderr_bytes
            self.sequence = message.gap.last_sequence
        elif message.HasField("exit"):
            assert self.exit is None, "a second exit"
            self.exit = message.exit

    def follow(self, stream):
        for message in stream:
            self.take(message)
        assert self.exit is not None, "the stream has ended without an exit"
        assert self.sequence == self.exit.last_sequence, "the exit came before a chunk"
        totals = (self.exit.stdout_bytes, self.exit.stderr_bytes)
        assert (self.ends["stdout"], self.ends["stderr"]) == totals, "the totals differ"
        check_exit(self.exit, 7)


def check_exit(told, code, reason=pb.EXIT_REASON_NATURAL):
    """It is the right one, or says that the right one isn't known."""
    if told.reason == pb.EXIT_REASON_START_FAILED:
        assert told.code in (126, 127) and told.message, told
    elif told.reason == pb.EXIT_REASON_RUNTIME_ERROR:
        assert told.message, told
    elif told.signal == signal.SIGPIPE:
        # Its output could not be read: it was told so, and so are we.
        assert told.message and told.code == 141, told
    else:
        assert (told.reason, told.code) == (reason, code), told


def whole(told):
    """Whether nothing was lost, or invented."""
    totals = (len(WRITTEN["stdout"]), len(WRITTEN["stderr"]))
    return told.reason == pb.EXIT_REASON_NATURAL and not told.message and (
        told.stdout_bytes, told.stderr_bytes) == totals


class Story:
    """What is done with a server. Each act may fail; none may hang, or be told something wrong."""

    def __init__(self, serving):
        self.serving = serving
        self.failures = []

    def act(self, body, *arguments):
        try:
            return body(*arguments)
        except (Failed, Closed, ConnectionError) as error:
            self.failures.append(f"{body.__name__}: {error!r}")
            return None

    def tell(self):
        self.act(self.watch, "one")
        self.act(self.look_around)
        self.act(self.terminal)
        self.act(self.stop)
        self.act(self.forget, "one")

    def watch(self, exec_id):
        """Two viewers of one exec that repeats its stdin, and a third when it has ended."""
        start = begin(exec_id, "echo out; echo err >&2; cat; exit 7", stdin=True)
        first, second = Viewer(WRITTEN), Viewer(WRITTEN)
        with self.serving.connect() as connection, self.serving.connect() as other:
            stream = connection.call_with_stream("Session")
            stream.send(pb.SessionRequest(start=start))
            credit = next(stream).ready.stdin_credit
            joined = other.call_with_stream("Session")
            joined.send(pb.SessionRequest(start=pb.Start(**NAMES, exec_id=exec_id)))
            sent = 0
            while sent < len(STDIN) and first.exit is None:
                piece = STDIN[sent : sent + min(credit, 30_000)]
                if piece:
                    stream.send(pb.SessionRequest(stdin=piece))
                    sent, credit = sent + len(piece), credit - len(piece)
                    continue
                message = next(stream)
                first.take(message)
                credit += message.stdin_credit.bytes
            stream.send(pb.SessionRequest(close_stdin=pb.CloseStdin()))
            first.follow(stream)
            self.act(second.follow, joined)
            late = Viewer(WRITTEN)
            again = connection.call_with_stream("Session")
            again.send(pb.SessionRequest(start=pb.Start(**NAMES, exec_id=exec_id)))
            self.act(late.follow, again)
            waited = connection.call("ExecWait", pb.ExecWaitRequest(**NAMES, exec_id=exec_id)).info.exit
            for told in (second.exit, late.exit, waited):
                assert told in (None, first.exit), "not all were told the same"
        return first.exit

    def look_around(self):
        with self.serving.connect(self.serving.tcp) as connection:
            connection.call("ExecList", pb.ExecListRequest())
            connection.call("ContainerStatus", pb.ContainerStatusRequest(**NAMES))

    def terminal(self):
        with self.serving.connect() as connection:
            stream = connection.call_with_stream("Session")
            script = "stty -echo; echo at; stty size; exit 4"
            stream.send(pb.SessionRequest(start=begin("tty", script, terminal=pb.Terminal())))
            said, told = b"", None
            for message in stream:
                said += message.output.stdout
                told = message.exit if message.HasField("exit") else told
            check_exit(told, 4)
            if told.reason == pb.EXIT_REASON_NATURAL:
                assert len(said) == told.stdout_bytes, "bytes of the terminal are missing"

    def stop(self):
        with self.serving.connect() as connection:
            stream = connection.call_with_stream("Session")
            start = begin("sleeper", "(setsid sleep 600 &); echo here; while :; do sleep 600; done")
            stream.send(pb.SessionRequest(start=start))
            for message in stream:
                if message.WhichOneof("msg") in ("output", "gap", "exit"):
                    break
            container = pb.ContainerControlRequest(**NAMES)
            self.act(connection.call, "ContainerPause", container)
            self.act(connection.call, "ContainerResume", container)
            number = pb.Signal(number=signal.SIGCONT)
            self.act(connection.call, "ExecSignal",
                     pb.ExecSignalRequest(**NAMES, exec_id="sleeper", signal=number))
            request = pb.ExecStopRequest(**NAMES, exec_id="sleeper", grace_ms=2000)
            told = connection.call("ExecStop", request).info.exit
            if told.reason == pb.EXIT_REASON_FORCED_KILL:
                check_exit(told, 137, pb.EXIT_REASON_FORCED_KILL)
            else:
                check_exit(told, 143, pb.EXIT_REASON_SIGNAL)

    def forget(self, exec_id):
        with self.serving.connect() as connection:
            connection.call("ExecRemove", pb.ExecRemoveRequest(**NAMES, exec_id=exec_id))


class FaultTests(unittest.TestCase):
    def setUp(self):
        if not has_faults():
            self.skipTest(f"{PROGRAM} is no debug build")
        directory = tempfile.TemporaryDirectory(prefix="execstream-fault-")
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.figures = collections.Counter()

    def test_one_failing_system_call_makes_nobody_be_told_wrong(self):
        began = time.monotonic()
        for fault in self.faults():
            with self.subTest(fault=fault, seed=SEED):
                self.one_fault(fault)
        figures = ", ".join(f"{count} {name}" for name, count in sorted(self.figures.items()))
        print(f"seed {SEED}, {time.monotonic() - began:.0f} s: {figures}", file=sys.stderr)

    def faults(self):
        if "=" in RUNS:
            return [RUNS]
        places = os.path.join(self.directory, "places")
        serving = self.server({"EXECSTREAM_FAULT_PLACES": places})
        serving.start()
        story = Story(serving)
        try:
            story.tell()
            self.assertEqual(story.failures, [], "the story fails without a fault")
            self.assertEqual(serving.stop(), 0)
        finally:
            serving.kill()
        with open(places, encoding="ascii") as file:
            counts = collections.Counter(file.read().split())
        self.assertGreater(len(counts), 40, "few places are known: the seam has a hole")
        self.figures["places"] = len(counts)
        drawn = []
        for place, count in sorted(counts.items()):
            turns = range(1, min(count, TURNS_MAX) + 1)
            every = [f"{place}:{turn}={number}" for turn in turns for number in ERRNOS]
            drawn += every if RUNS == "all" else random.Random(f"{SEED}/{place}").sample(
                every, min(int(RUNS), len(every)))
        return drawn

    def server(self, environment):
        shutil.rmtree(os.path.join(self.directory, "state"), ignore_errors=True)
        serving = Serving(
            self.directory, tcp=True, environment=environment, options=("--drain", "300ms")
        )
        return serving

    def one_fault(self, fault):
        self.figures["runs"] += 1
        # Commands inherit the server's environment.
        mark = f"{SEED}-{self.figures['runs']}"
        serving = self.server({"EXECSTREAM_FAULT": fault, MARK: mark})
        serving.spawn()
        try:
            self.check(serving)
            self.assertEqual(processes_marked(f"{MARK}={mark}\0"), [], "processes are left over")
        finally:
            serving.kill()
            for pid in processes_marked(f"{MARK}={mark}\0"):
                os.kill(pid, signal.SIGKILL)

    def check(self, serving):
        if not serving.is_ready():
            # 0: it runs, and what failed is the line that says so.
            self.assertGreaterEqual(serving.stop(), 0, f"it died of it: {serving.said}")
            self.assertTrue(serving.said, "it did not start, and says nothing")
            self.figures["refusals to start"] += 1
            return
        pid = serving.process.pid
        story = Story(serving)
        story.tell()
        self.figures["acts that failed"] += len(story.failures)
        self.assertIsNone(serving.process.poll(), f"it died of it: {serving.said}")
        # The fault's turn may have come only now: but not twice.
        afterwards = [story.act(story.watch, f"after{number}") for number in range(2)]
        self.assertTrue(
            any(told and whole(told) for told in afterwards),
            f"it does not recover: {story.failures}, {afterwards}; {serving.said}",
        )
        self.assertEqual(serving.stop(), 0, serving.said)
        self.assertEqual(groups_of(pid), [], "groups are left over")


def has_faults():
    with open(PROGRAM, "rb") as program:
        return b"EXECSTREAM_FAULT_PLACES" in program.read()


if __name__ == "__main__":
    unittest.main()
