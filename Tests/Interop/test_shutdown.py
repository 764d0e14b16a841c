"""The end of the server, as a foreign client sees it."""

import signal
import unittest

import exec_pb2 as pb
from interop_case import InteropTest, Recording
from ttrpc_client import Closed


class ShutdownTests(InteropTest):
    def test_sigterm_stops_what_runs_tells_its_viewers_and_ends_with_0(self):
        session = Recording(self, self.start("sh", "-c", "echo up; exec sleep 600"))
        session.until(b"up\n")
        self.server.process.send_signal(signal.SIGTERM)
        session.to_the_end().check_complete()
        self.assertEqual(session.exit.signal, signal.SIGTERM)
        self.assertEqual(session.exit.cause, pb.STOP_CAUSE_SHUTDOWN)
        with self.assertRaises((Closed, ConnectionResetError)):
            self.connection.receive(1)
        self.assertEqual(self.server.ended(), 0, self.server.said)


if __name__ == "__main__":
    unittest.main()
