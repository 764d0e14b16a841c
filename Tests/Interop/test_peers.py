"""Who is at the other end of a Unix socket."""

import os
import tempfile
import unittest

import exec_pb2 as pb
from serving import Serving
from ttrpc_client import Closed, Connection, Failed

NOBODY = 65534
UNAUTHENTICATED = 16


@unittest.skipUnless(os.geteuid() == 0, "only root can be somebody else for a moment")
class PeerTests(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="execstream-peer-")
        self.addCleanup(directory.cleanup)
        self.server = Serving(directory.name)
        self.server.start()
        self.addCleanup(self.server.kill)
        os.chmod(directory.name, 0o711)
        self.path = self.server.unix.removeprefix("unix:")

    def connect_as_nobody(self):
        # The kernel keeps who connects, not who uses the socket later.
        os.seteuid(NOBODY)
        try:
            return Connection(self.server.unix)
        finally:
            os.seteuid(0)

    def test_another_user_cannot_connect(self):
        self.assertRaises(PermissionError, self.connect_as_nobody)

    def test_another_user_is_let_do_nothing_where_the_socket_is_open_to_all(self):
        os.chmod(self.path, 0o666)
        refused = 0
        for method, request in (
            ("ExecList", pb.ExecListRequest()),
            ("ContainerStatus", pb.ContainerStatusRequest(container_id="c")),
        ):
            with self.connect_as_nobody() as connection:
                try:
                    connection.call(method, request)
                except Failed as failure:
                    self.assertEqual(failure.code, UNAUTHENTICATED)
                    refused += 1
                except (Closed, ConnectionError):
                    refused += 1
        self.assertEqual(refused, 2)
        with self.server.connect() as connection:
            connection.call("ExecList", pb.ExecListRequest())


if __name__ == "__main__":
    unittest.main()
