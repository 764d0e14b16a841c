"""SIGKILL of the server at random moments under load, and what the next one makes of it.

    EXECSTREAM_KILLS=200 Scripts/test-interop .build/release/execstream -k KillTests

$EXECSTREAM_KILLS says how often (10), $EXECSTREAM_SEED repeats a run; its seed is printed.
"""

import collections
import itertools
import os
import random
import struct
import sys
import tempfile
import threading
import time
import unittest

import exec_pb2 as pb
from patterns import KINDS, is_prefix
from serving import Serving, processes_marked
from ttrpc_client import Closed

KILLS = int(os.environ.get("EXECSTREAM_KILLS", 10))
SEED = int(os.environ.get("EXECSTREAM_SEED", random.SystemRandom().randrange(1 << 32)))
MARK = "EXECSTREAM_KILL_TEST"
STREAMS = ("stdout", "stderr")
RECORD = struct.Struct("<QIB3xq")  # offset, length, stream, when
RUNTIME_ERROR_MESSAGE = "the server that ran it ended"

GONE = (Closed, ConnectionError, FileNotFoundError, BrokenPipeError)


class Exec:
    def __init__(self, name, rng):
        self.name = name
        self.kind = rng.choice(KINDS)
        self.script, self.code, self.pattern = self.kind(name, rng)


class Seen:
    """What one viewer was sent before the connection broke."""

    def __init__(self, name):
        self.name = name
        self.outputs = []
        self.exit = None

    def watch(self, serving, start, then=None):
        """Follows the exec to its exit or to the break; `then` is called once it is there."""
        try:
            with serving.connect() as connection:
                stream = connection.call_with_stream("Session")
                stream.send(pb.SessionRequest(start=start))
                for message in stream:
                    if message.HasField("output"):
                        self.outputs.append(message.output)
                    elif message.HasField("exit"):
                        self.exit = message.exit
                    elif then and message.HasField("ready"):
                        then()
        except GONE:
            pass


class Load:
    """Execs that run, end and start, each watched by two, until the server is gone."""

    def __init__(self, serving, number, rng):
        self.serving = serving
        self.container = f"round{number}"
        self.mark = f"{SEED}-{number}"
        self.execs = {}
        self.seen = []
        self.failures = []
        self._rng = rng
        self._threads = []
        self._over = threading.Event()
        for worker in range(4):
            self._run(self._keep_busy, worker, random.Random(rng.random()))

    def _run(self, work, *arguments):
        def guarded():
            try:
                work(*arguments)
            except Exception as error:
                self.failures.append(error)
        thread = threading.Thread(target=guarded)
        self._threads.append(thread)
        thread.start()

    def _keep_busy(self, worker, rng):
        for count in itertools.count():
            if self._over.is_set():
                return
            each = Exec(f"e{worker}-{count}", rng)
            self.execs[each.name] = each
            names = {"container_id": self.container, "exec_id": each.name}
            start = pb.Start(**names)
            start.command.argv.extend(["sh", "-c", each.script])
            start.command.env[MARK] = self.mark
            starter, late = Seen(each.name), Seen(each.name)
            self.seen += [starter, late]
            attach = pb.Start(**names)
            starter.watch(
                self.serving, start,
                lambda: self._run(late.watch, self.serving, attach),
            )
            if starter.exit is None:
                return  # the connection broke: the server is gone

    def end(self):
        self._over.set()
        # While it is being joined, the list may still grow.
        joined = 0
        while joined < len(self._threads):
            self._threads[joined].join(60)
            assert not self._threads[joined].is_alive(), "a viewer outlived the server"
            joined += 1
        assert not self.failures, self.failures


class KillTests(unittest.TestCase):
    def setUp(self):
        print(f"seed {SEED}, {KILLS} kills", file=sys.stderr)
        directory = tempfile.TemporaryDirectory(prefix="execstream-kill-")
        self.addCleanup(directory.cleanup)
        self.serving = Serving(directory.name)
        self.addCleanup(lambda: self.serving.process and self.serving.kill())
        self.figures = collections.Counter()

    def test_a_killed_server_loses_nothing_it_had_taken_and_leaves_nobody(self):
        began = time.monotonic()
        self.serving.start()
        for number in range(KILLS):
            with self.subTest(seed=SEED, kill=number):
                self.one_kill(number, random.Random(f"{SEED}/{number}"))
        self.assertEqual(self.serving.stop(), 0, self.serving.said)
        figures = ", ".join(f"{count} {name}" for name, count in sorted(self.figures.items()))
        print(f"{time.monotonic() - began:.0f} s: {figures}", file=sys.stderr)

    def one_kill(self, number, rng):
        load = Load(self.serving, number, rng)
        # The moment is the test's subject: it is drawn, and nothing is waited for instead.
        time.sleep(rng.uniform(0.005, 0.4))
        self.serving.kill()
        load.end()
        self.figures["kills"] += 1
        marked = f"{MARK}={load.mark}\0"
        logs = {name: self.read_log(load.container, name) for name in load.execs}
        # Some starts are killed, too: what is half recovered must be recovered all the same.
        if rng.random() < 0.2:
            self.serving.spawn()
            time.sleep(rng.uniform(0, 0.06))
            self.serving.kill()
            self.figures["kills in a start"] += 1
        self.figures["processes that outlived the server"] += len(processes_marked(marked))
        self.serving.start()
        self.check_nobody_left(marked)
        for name, each in load.execs.items():
            self.check_exec(load, each, logs[name])
        for seen in load.seen:
            self.check_seen(load, seen)
        self.serving.remove_all()
        self.assertEqual(self.serving.execs(), [])
        self.assertEqual(self.serving.logs(), [])

    def check_nobody_left(self, marked):
        own = f"/proc/{self.serving.process.pid}/cgroup"
        with open(own, encoding="ascii") as file:
            has_groups = os.geteuid() == 0 and "0::" in file.read()
        if has_groups:
            left = processes_marked(marked)
            self.assertEqual(left, [], "processes of the killed server's execs are left over")
            self.figures["looks for processes left over"] += 1

    def read_log(self, container, name):
        directory = os.path.join(self.serving.state, "execs", container, name)
        found = {}
        for file in (*STREAMS, "index"):
            try:
                with open(os.path.join(directory, file), "rb") as opened:
                    found[file] = opened.read()
            except FileNotFoundError:
                found[file] = b""
        return found

    def check_exec(self, load, each, before):
        """The log on disk, its index, and what the new server says and sends of it."""
        log = self.read_log(load.container, each.name)
        for stream in STREAMS:
            self.assertEqual(log[stream], before[stream], "the next start changed a log")
            self.assertTrue(
                is_prefix(log[stream], each.pattern[stream]()),
                f"{each.name}: its {stream} on disk is no prefix of what it wrote",
            )
            self.figures["log bytes"] += len(log[stream])
        if not log["stdout"] and not log["stderr"]:
            self.figures["execs without output"] += 1
            return
        records = self.check_index(log)
        whole = len(before["index"]) // RECORD.size * RECORD.size
        self.assertEqual(log["index"][:whole], before["index"][:whole], "a record has changed")
        self.figures["chunks without a record"] += (len(log["index"]) - whole) // RECORD.size
        self.figures["execs"] += 1
        viewer = Seen(each.name)
        names = {"container_id": load.container, "exec_id": each.name}
        viewer.watch(self.serving, pb.Start(**names))
        self.assertIsNotNone(viewer.exit, f"{each.name} is not known any more")
        self.check_told(viewer.exit, each, log)
        self.check_outputs(viewer.outputs, records, log)
        self.assertEqual(len(viewer.outputs), len(records))

    def check_index(self, log):
        """The records cover both files exactly, and in order."""
        self.assertEqual(len(log["index"]) % RECORD.size, 0)
        records = list(RECORD.iter_unpack(log["index"]))
        ends = {1: 0, 2: 0}
        for offset, length, stream, _ in records:
            self.assertEqual(offset, ends[stream])
            self.assertGreater(length, 0)
            ends[stream] += length
        self.assertEqual((ends[1], ends[2]), (len(log["stdout"]), len(log["stderr"])))
        return records

    def check_told(self, told, each, log):
        if told.reason != pb.EXIT_REASON_RUNTIME_ERROR:
            self.assertEqual((told.reason, told.code), (pb.EXIT_REASON_NATURAL, each.code))
        else:
            self.assertIn(RUNTIME_ERROR_MESSAGE, told.message)
        self.assertEqual((told.stdout_bytes, told.stderr_bytes),
                         (len(log["stdout"]), len(log["stderr"])))

    def check_outputs(self, outputs, records, log):
        """Each chunk is that of its record, and its bytes are those of the file."""
        for number, output in enumerate(outputs, 1):
            self.assertEqual(output.sequence, number)
            offset, length, stream, when = records[number - 1]
            name = output.WhichOneof("data")
            data = getattr(output, name)
            self.assertEqual(
                (output.offset, len(data), name, output.unix_ns),
                (offset, length, STREAMS[stream - 1], when),
            )
            self.assertEqual(data, log[name][offset : offset + length])

    def check_seen(self, load, seen):
        """What a viewer got before the kill is a beginning of the log, and a true exit."""
        log = self.read_log(load.container, seen.name)
        self.check_outputs(seen.outputs, list(RECORD.iter_unpack(log["index"])), log)
        self.figures["viewers cut off" if seen.exit is None else "viewers with an exit"] += 1
        self.figures["chunks seen before a kill"] += len(seen.outputs)
        if seen.exit is not None:
            each = load.execs[seen.name]
            self.assertEqual((seen.exit.code, seen.exit.reason),
                             (each.code, pb.EXIT_REASON_NATURAL))
            for stream in STREAMS:
                whole = b"".join(each.pattern[stream]())
                self.assertEqual(log[stream], whole, f"{each.name} has exited, and lacks output")


if __name__ == "__main__":
    unittest.main()
