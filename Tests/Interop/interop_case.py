"""What the tests of a foreign client share. The client is generated from Proto by Google's own protobuf.

Scripts/test-interop runs them: it makes exec_pb2 and ttrpc_pb2, and sets $EXECSTREAM.
No test sleeps: it waits for a message, and no longer than the client's timeout.
"""

import unittest

import exec_pb2 as pb
from serving import TemporaryServing
from ttrpc_client import Failed

INVALID_ARGUMENT = 3
NOT_FOUND = 5
FAILED_PRECONDITION = 9
UNIMPLEMENTED = 12
UNAUTHENTICATED = 16


class InteropTest(unittest.TestCase):
    """One server for all tests of a class; each test names a container after itself."""

    server: TemporaryServing

    @classmethod
    def setUpClass(cls):
        cls.server = TemporaryServing(tcp=True)

    @classmethod
    def tearDownClass(cls):
        code = cls.server.stop()
        if code != 0:
            raise AssertionError(f"the server ended with {code}; it said: {cls.server.said}")

    def setUp(self):
        self.container = self._testMethodName
        self.connection = self.connect()

    def connect(self):
        return self.enterContext(self.server.connect(self.server.tcp))

    def start(self, *argv, exec_id="e", connection=None, **command):
        """Opens a Session that starts a command."""
        stream = (connection or self.connection).call_with_stream("Session")
        start = pb.Start(container_id=self.container, exec_id=exec_id)
        start.command.MergeFrom(pb.Command(argv=argv, **command))
        stream.send(pb.SessionRequest(start=start))
        return stream

    def attach(self, exec_id="e", connection=None, **view):
        """Opens a Session that attaches to an exec."""
        stream = (connection or self.connection).call_with_stream("Session")
        start = pb.Start(container_id=self.container, exec_id=exec_id, view=pb.View(**view))
        stream.send(pb.SessionRequest(start=start))
        return stream

    def names(self, exec_id="e"):
        return {"container_id": self.container, "exec_id": exec_id}

    def assert_fails(self, code, call, *arguments, **options):
        with self.assertRaises(Failed) as raised:
            call(*arguments, **options)
        self.assertEqual(raised.exception.code, code, raised.exception)
        return raised.exception

    def assert_alive(self, connection=None):
        (connection or self.connection).call("ExecList", pb.ExecListRequest())


class Recording:
    """What one Session says, from Ready to Exit, and whether it may say so."""

    def __init__(self, test, stream):
        self._test = test
        self._stream = stream
        self.outputs = []
        self.exit = None
        self.ready = self.next()
        test.assertEqual(self.ready.WhichOneof("msg"), "ready", "Ready is not first")
        self.ready = self.ready.ready

    def next(self):
        """The next message; None at the end."""
        message = next(self._stream, None)
        if message is None:
            return None
        self._test.assertIsNone(self.exit, "something came after the exit")
        if message.HasField("output"):
            self.outputs.append(message.output)
        elif message.HasField("exit"):
            self.exit = message.exit
        return message

    def until(self, text):
        """Reads until stdout holds `text`."""
        while text not in self.bytes("stdout"):
            self._test.assertIsNotNone(self.next(), f"it ended without {text}")

    def to_the_end(self):
        while self.next() is not None:
            pass
        self._test.assertIsNotNone(self.exit, "the stream ended without an exit")
        return self

    def bytes(self, stream):
        return b"".join(getattr(each, stream) for each in self.outputs)

    def check_complete(self):
        """From the first chunk to the last, without a hole, and as many bytes as the exit says."""
        test = self._test
        sequences = [each.sequence for each in self.outputs]
        test.assertEqual(sequences, list(range(1, self.exit.last_sequence + 1)))
        test.assertEqual(len(self.bytes("stdout")), self.exit.stdout_bytes)
        test.assertEqual(len(self.bytes("stderr")), self.exit.stderr_bytes)
        offsets = {"stdout": 0, "stderr": 0}
        for each in self.outputs:
            name = each.WhichOneof("data")
            test.assertEqual(each.offset, offsets[name])
            offsets[name] += len(getattr(each, name))


def lines_up_to(count):
    return "".join(f"{number}\n" for number in range(1, count + 1)).encode()
