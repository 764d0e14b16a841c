"""Calls that once cost a server far more than they cost whoever makes them: lists, places in a long log,
environments, labels, and output in many small messages.
"""

import os
import struct
import tempfile
import unittest

import exec_pb2 as pb
from serving import Serving
from support import (
    DATA, REMOTE_OPEN, Flooder, flood, frame, raise_descriptor_limit, request_frame, session_frames,
    sized, worst_answer_during,
)
from ttrpc_client import Failed

WORST_SECONDS_MAX = sized(0.1, 0.25)
FLOOD_SECONDS_MAX = sized(120, 10)


class Costs(unittest.TestCase):
    def setUp(self):
        raise_descriptor_limit()
        directory = tempfile.TemporaryDirectory(prefix="execstream-costs-")
        self.addCleanup(directory.cleanup)
        self.serving = Serving(directory.name)
        self.addCleanup(self.serving.kill)

    def flooders(self, count):
        flooders = [Flooder(self.serving.unix) for _ in range(count)]
        for flooder in flooders:
            self.addCleanup(flooder.close)
        return flooders

    def test_lists_of_many_execs_make_nobody_wait(self):
        execs, lists = sized((15_000, 900), (3_000, 60))
        self.serving.start()
        self.publish(execs)
        self.assertEqual(len(self.serving.execs()), execs)
        flooders = self.flooders(10)
        calls = b"".join(
            request_frame(2 * number + 1, "ExecList", pb.ExecListRequest())
            for number in range(lists))

        def answered():
            return sum(flooder.responses for flooder in flooders)

        worst = worst_answer_during(
            self.serving,
            lambda: flood(flooders, calls, lambda: answered() == 10 * lists, FLOOD_SECONDS_MAX))
        print(f"    {answered()} lists of {execs} execs were answered")
        self.assertEqual([flooder.failures for flooder in flooders], [[]] * 10)
        self.assertLess(worst, WORST_SECONDS_MAX)

    def publish(self, count):
        """Registers so many execs, which exit at once."""
        [flooder] = self.flooders(1)
        ended = pb.PublishRequest()
        ended.exit.code = 0
        ended = ended.SerializeToString()
        for first in range(0, count, 500):
            frames = bytearray()
            for number in range(first, min(first + 500, count)):
                message = pb.PublishRequest()
                message.register.container_id = f"c{number // 2_000}"
                message.register.exec_id = f"e{number}"
                message.register.labels["number"] = str(number)
                stream = 2 * number + 1
                frames += request_frame(stream, "Publish", message, REMOTE_OPEN)
                frames += frame(stream, DATA, 0, ended)
            flooder.send(frames)
            flooder.receive_from(min(first + 500, count))
        self.assertEqual(flooder.failures, [])
        flooder.close()

    def test_a_place_in_a_long_log_is_found_without_reading_it(self):
        records = sized(2_000_000, 400_000)
        self.leave_log(records)
        self.serving.start()
        for name, view in (
            ("after", pb.View(after_sequence=1)), ("tail", pb.View(tail_bytes=2**64 - 1)),
        ):
            with self.subTest(name):
                # Without following, each attach ends by itself once the client has all; and the window
                # keeps the server from sending much.
                start = pb.Start(container_id="long", exec_id="log", view=view)
                start.view.window_bytes = 1
                flooders = self.flooders(3)
                frames = session_frames(300, start)

                def come():
                    flood(
                        flooders, frames,
                        lambda: all(len(flooder.streams) == 300 for flooder in flooders),
                        FLOOD_SECONDS_MAX)

                self.assertLess(worst_answer_during(self.serving, come), WORST_SECONDS_MAX)
                self.assertEqual([len(flooder.streams) for flooder in flooders], [300] * 3)
                self.assertEqual([flooder.failures for flooder in flooders], [[]] * 3)

    def leave_log(self, records):
        """The log of an exec, as a server that was killed has left it: chunks of one byte."""
        directory = os.path.join(self.serving.state, "execs", "long", "log")
        os.makedirs(directory, mode=0o700)
        record = struct.Struct("<QIBxxxq")
        with open(os.path.join(directory, "index"), "wb") as file:
            file.write(b"".join(record.pack(offset, 1, 1, 1) for offset in range(records)))
        with open(os.path.join(directory, "stdout"), "wb") as file:
            file.write(b"x" * records)
        with open(os.path.join(directory, "stderr"), "wb"):
            pass
        for path, _, files in os.walk(self.serving.state):
            os.chmod(path, 0o700)
            for name in files:
                os.chmod(os.path.join(path, name), 0o600)

    def test_environments_are_not_kept_after_the_start(self):
        starts = sized(400, 60)
        self.serving.start()
        with self.serving.connect() as connection:
            self.start_missing(connection, "warm", 5)
            before = self.serving.resident_bytes()
            self.start_missing(connection, "missing", starts)
            more = self.serving.resident_bytes() - before
        print(f"    {starts} failed starts with 3.8 MiB of environment: {more >> 10} KiB more memory")
        self.assertLess(more, 16 << 20)

    @staticmethod
    def start_missing(connection, name, count):
        for number in range(count):
            start = pb.Start(container_id="missing", exec_id=f"{name}-{number}")
            start.command.argv.append("/nowhere/to/be/found")
            for variable in range(38):
                start.command.env[f"V{variable}"] = f"{number % 10}" * (100 << 10)
            stream = connection.call_with_stream("Session")
            stream.send(pb.SessionRequest(start=start))
            # Ready, and then the exit: START_FAILED.
            assert list(stream)[-1].exit.reason == pb.EXIT_REASON_START_FAILED

    def test_labels_are_counted_and_what_is_allowed_costs_little(self):
        self.serving.start()
        with self.serving.connect() as connection:
            register = pb.PublishRequest()
            register.register.container_id, register.register.exec_id = "labels", "many"
            for number in range(200_000):
                register.register.labels[f"{number:x}"] = ""
            stream = connection.call_with_stream("Publish")
            stream.send(register)
            with self.assertRaises(Failed) as refused:
                stream.result()
            self.assertEqual(refused.exception.code, 3)
            register.register.labels.clear()
            for number in range(1_024):
                register.register.labels[f"{number:x}"] = "x" * 900
            stream = connection.call_with_stream("Publish")
            stream.send(register)
            request = pb.ExecWaitRequest(container_id="labels", exec_id="many")
            connection.call("ExecWait", request)
            count = sized(300, 60)
            calls = b"".join(
                request_frame(2 * number + 1, "ExecWait", request) for number in range(count))
            flooders = self.flooders(10)

            def ask():
                flood(
                    flooders, calls,
                    lambda: all(flooder.responses == count for flooder in flooders),
                    FLOOD_SECONDS_MAX)

            self.assertLess(worst_answer_during(self.serving, ask), WORST_SECONDS_MAX)

    def test_publishers_of_small_messages_make_nobody_wait(self):
        messages = sized(1_000_000, 200_000)
        self.serving.start()
        flooders = self.flooders(4)
        data = [
            frame(1, DATA, 0, pb.PublishRequest(stdout=b"x").SerializeToString()),
            # To the other stream: these can't be written together.
            frame(1, DATA, 0, pb.PublishRequest(stderr=b"y").SerializeToString()),
        ]
        ended = pb.PublishRequest()
        ended.exit.code = 7
        for kind, part in (("one stream", [data[0]]), ("two streams", data)):
            with self.subTest(kind):
                flooders = self.flooders(4)
                for number, flooder in enumerate(flooders):
                    register = pb.PublishRequest()
                    register.register.container_id = "small"
                    register.register.exec_id = f"{len(part)}-{number}"
                    flooder.send(request_frame(1, "Publish", register, REMOTE_OPEN))
                frames = b"".join(part) * (messages // len(part) // 4) + frame(
                    1, DATA, 0, ended.SerializeToString())

                def publish():
                    flood(
                        flooders, frames, lambda: all(flooder.responses for flooder in flooders),
                        FLOOD_SECONDS_MAX)

                self.assertLess(worst_answer_during(self.serving, publish), WORST_SECONDS_MAX)
                self.assertEqual([flooder.responses for flooder in flooders], [1] * 4)


if __name__ == "__main__":
    unittest.main()
