"""Names that are slow to compare: thousands of combining marks, which Unicode's normal form has to sort."""

import tempfile
import unittest

import exec_pb2 as pb
import ttrpc_pb2
from serving import Serving
from support import worst_answer_during
from ttrpc_client import REQUEST, Connection

MARKS = "\u0301\u0327" * 15_000
WORST_SECONDS = 0.5


class Names(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="execstream-names-")
        self.addCleanup(directory.cleanup)
        self.server = Serving(directory.name, tcp=True)
        self.server.start()
        self.addCleanup(self.server.kill)

    def test_a_method_of_marks_from_an_unauthenticated_peer_makes_nobody_wait(self):
        request = ttrpc_pb2.Request(service="execstream.v1.Exec", method=MARKS)

        def attack():
            for _ in range(4):
                with Connection(self.server.tcp) as connection:
                    connection.send(1, REQUEST, 0, request.SerializeToString())
                    connection.receive(1)

        self.assertLess(worst_answer_during(self.server, attack), WORST_SECONDS)

    def test_a_label_of_marks_makes_nobody_wait(self):
        def attack():
            for _ in range(4):
                with self.server.connect() as connection:
                    request = pb.ExecListRequest(labels={MARKS: "v"})
                    connection.open("ExecList", request.SerializeToString())
                    connection.receive(1)

        self.assertLess(worst_answer_during(self.server, attack), WORST_SECONDS)


if __name__ == "__main__":
    unittest.main()
