"""Whole conversations, mutated, against a server: it survives, forgets them, and serves others.

$EXECSTREAM_FUZZ_CONVERSATIONS says how many (300), $EXECSTREAM_SEED repeats a run; its seed is printed.
"""

import os
import random
import socket
import sys
import tempfile
import unittest

import exec_pb2 as pb
from conversations import mutate, record
from serving import Serving
from ttrpc_client import TIMEOUT, Connection

CONVERSATIONS = int(os.environ.get("EXECSTREAM_FUZZ_CONVERSATIONS", 300))
SEED = int(os.environ.get("EXECSTREAM_SEED", random.SystemRandom().randrange(1 << 32)))


class FuzzTests(unittest.TestCase):
    def setUp(self):
        print(f"seed {SEED}, {CONVERSATIONS} conversations", file=sys.stderr)
        directory = tempfile.TemporaryDirectory(prefix="execstream-fuzz-")
        self.addCleanup(directory.cleanup)
        self.server = Serving(directory.name, tcp=True)
        self.server.start()
        self.addCleanup(self.server.kill)

    def test_mutated_conversations_cost_nobody_else_anything(self):
        rng = random.Random(SEED)
        conversations = record(self.server)
        self.server.remove_all()
        self.server.settled({"children": 0, "groups": 0, "logs": 0})
        before = self.server.holdings()
        for number in range(CONVERSATIONS):
            with self.subTest(seed=SEED, conversation=number):
                self.say(mutate(conversations, rng), rng)
                if number % 50 == 49:
                    self.check_honest(f"honest{number}")
        self.server.remove_all()
        del before["threads"]  # the pool makes them as it needs them
        self.assertEqual(self.server.settled(before), {}, "left over: (is, was)")
        self.assertEqual(self.server.stop(), 0, self.server.said)

    def say(self, data, rng):
        """Sends it all, and reads to the end, which comes since nothing more is said."""
        address = rng.choice((self.server.tcp, self.server.unix))
        with Connection(address) as connection:
            bare = connection._socket
            bare.settimeout(TIMEOUT)
            try:
                bare.sendall(data)
                bare.shutdown(socket.SHUT_WR)
                while bare.recv(1 << 16):
                    pass
            except (BrokenPipeError, ConnectionResetError):
                pass  # the server has closed it, which it may
        self.assertIsNone(self.server.process.poll(), f"the server ended; said: {data.hex()}")

    def check_honest(self, name):
        with self.server.connect() as connection:
            stream = connection.call_with_stream("Session")
            start = pb.Start(container_id="honest", exec_id=name)
            start.command.argv.extend(["sh", "-c", "seq 2000; seq 1000 >&2; exit 6"])
            stream.send(pb.SessionRequest(start=start))
            messages = list(stream)
        outputs = [each.output for each in messages if each.HasField("output")]
        for which, count in (("stdout", 2000), ("stderr", 1000)):
            expected = "".join(f"{number}\n" for number in range(1, count + 1)).encode()
            self.assertEqual(b"".join(getattr(each, which) for each in outputs), expected)
        told = messages[-1].exit
        self.assertEqual((told.code, told.reason), (6, pb.EXIT_REASON_NATURAL))


if __name__ == "__main__":
    unittest.main()
