"""What a server that ends still owes its viewers."""

import socket
import tempfile
import unittest

import exec_pb2 as pb
from conversations import start
from serving import Serving
from ttrpc_client import TIMEOUT, Connection

BYTES = 300_000


class SlowConnection(Connection):
    """A connection by TCP that has little room, so that most of what it is sent is still at the server."""

    def __init__(self, address):
        host, _, port = address.removeprefix("tcp:").rpartition(":")
        small = socket.socket()
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        small.settimeout(TIMEOUT)
        small.connect((host, int(port)))
        super().__init__(address, over=small)


class FarewellTests(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="execstream-farewell-")
        self.addCleanup(directory.cleanup)
        self.server = Serving(directory.name, tcp=True)
        self.server.start()
        self.addCleanup(self.server.kill)

    def test_a_viewer_that_talks_while_the_last_bytes_are_on_their_way_gets_them_all(self):
        names = {"container_id": "c", "exec_id": "e"}
        with self.server.connect() as other, SlowConnection(self.server.tcp) as viewer:
            viewer.call("Hello", pb.HelloRequest(client="slow/1", token=self.server.token))
            stream = start(viewer, names, ["head", "-c", str(BYTES), "/dev/zero"])
            next(stream)
            other.call("ExecWait", pb.ExecWaitRequest(**names, timeout_ms=TIMEOUT * 1000))
            self.server.process.terminate()
            # Once it says nothing more to others, it has said all that it has to say to the viewer.
            self.assertEqual(other._socket.recv(1), b"")
            count, exit = 0, None
            for message in stream:
                stream.send(pb.SessionRequest(credit=pb.Credit(bytes=1)))
                count += len(message.output.stdout)
                exit = message.exit if message.HasField("exit") else exit
            self.assertEqual((count, exit.code, exit.stdout_bytes), (BYTES, 0, BYTES))
        self.assertEqual(self.server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
