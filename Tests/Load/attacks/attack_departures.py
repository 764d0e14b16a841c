"""Many viewers and subscribers that leave at once: everybody else is answered as before."""

import tempfile
import time
import unittest

import exec_pb2 as pb
from serving import Serving
from support import (
    Flooder, raise_descriptor_limit, request_frame, session_frames, sized, start_sleeper,
    subscription_frames, worst_answer_during,
)

STREAMS = 999
CROWDS = sized([(20, 0.1), (100, 0.5)], [(6, 0.25)])
SETTLE_SECONDS_MAX = 60


class Departures(unittest.TestCase):
    def setUp(self):
        raise_descriptor_limit()
        directory = tempfile.TemporaryDirectory(prefix="execstream-departures-")
        self.addCleanup(directory.cleanup)
        self.serving = Serving(directory.name)
        self.serving.start()
        self.addCleanup(self.serving.kill)

    def test_viewers_that_leave_at_once_make_nobody_wait(self):
        for connections, seconds_max in CROWDS:
            with self.subTest(viewers=connections * STREAMS), self.serving.connect() as owner:
                name = f"silent-{connections}"
                start_sleeper(owner, name=name)
                start = pb.Start(container_id="crowd", exec_id=name)
                start.view.read_only = True
                crowd = self.crowd(connections, session_frames(STREAMS, start))
                for flooder in crowd:
                    flooder.receive_from(STREAMS)
                self.assertEqual(self.viewers(owner, name), connections * STREAMS + 1)

                def leave():
                    for flooder in crowd:
                        flooder.close()
                    deadline = time.monotonic() + SETTLE_SECONDS_MAX
                    while self.viewers(owner, name) > 1:
                        self.assertLess(time.monotonic(), deadline, "viewers do not leave")
                        time.sleep(0.02)

                self.assertLess(worst_answer_during(self.serving, leave), seconds_max)

    def test_subscribers_that_leave_at_once_make_nobody_wait(self):
        for connections, seconds_max in CROWDS:
            with self.subTest(subscribers=connections * STREAMS):
                # A call behind the subscriptions tells when the server has them all.
                last = request_frame(
                    2 * STREAMS + 1, "ExecList", pb.ExecListRequest(container_id="nobody"))
                crowd = self.crowd(connections, subscription_frames(STREAMS) + last)
                for flooder in crowd:
                    flooder.receive_from(1)

                def leave():
                    for flooder in crowd:
                        flooder.close()
                    # An event is told to all who are still there: the last of them have gone once
                    # the server has no further connection.
                    deadline = time.monotonic() + SETTLE_SECONDS_MAX
                    while self.serving.holdings()["descriptors"] > before:
                        self.assertLess(time.monotonic(), deadline, "subscribers do not leave")
                        time.sleep(0.02)

                with self.serving.connect():
                    before = self.serving.holdings()["descriptors"] - connections + 8
                self.assertLess(worst_answer_during(self.serving, leave), seconds_max)

    def crowd(self, connections, frames):
        crowd = []
        for _ in range(connections):
            flooder = Flooder(self.serving.unix)
            self.addCleanup(flooder.close)
            flooder.send(frames)
            self.assertEqual(flooder.failures, [])
            crowd.append(flooder)
        return crowd

    @staticmethod
    def viewers(connection, name):
        request = pb.ExecWaitRequest(container_id="crowd", exec_id=name)
        return connection.call("ExecWait", request).info.viewers


if __name__ == "__main__":
    unittest.main()
