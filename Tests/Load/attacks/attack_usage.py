"""Questions about what a container consumes: many of them cost no more than one, and none of them waits
for what a process does.
"""

import tempfile
import unittest

import exec_pb2 as pb
from serving import Serving
from support import Flooder, flood, raise_descriptor_limit, request_frame, sized, worst_answer_during

PROCESSES = sized(1_000, 300)
CONNECTIONS = sized(100, 50)
QUESTIONS = sized(200, 20)
SECONDS = sized(6, 3)
WORST_SECONDS_MAX = sized(0.25, 0.4)

SLEEPERS = """
import os, signal, sys
for _ in range(int(sys.argv[1])):
    if os.fork() == 0:
        signal.pause()
print("up", flush=True)
signal.pause()
"""


class Usage(unittest.TestCase):
    def test_questions_about_many_processes_make_nobody_wait(self):
        raise_descriptor_limit()
        directory = tempfile.TemporaryDirectory(prefix="execstream-usage-")
        self.addCleanup(directory.cleanup)
        serving = Serving(directory.name, options=["--log-level", "error"])
        serving.start()
        self.addCleanup(serving.kill)
        client = serving.connect()
        self.addCleanup(client.__exit__)
        session = client.call_with_stream("Session")
        start = pb.Start(container_id="c", exec_id="many")
        start.command.argv.extend(["python3", "-c", SLEEPERS, str(PROCESSES)])
        session.send(pb.SessionRequest(start=start))
        while next(session).WhichOneof("msg") != "output":
            pass
        flooders = [Flooder(serving.unix) for _ in range(CONNECTIONS)]
        for flooder in flooders:
            self.addCleanup(flooder.close)
        request = pb.ContainerStatusRequest(container_id="c", include_resource_usage=True)
        data = b"".join(
            request_frame(1 + 2 * number, "ContainerStatus", request) for number in range(QUESTIONS))

        def answered():
            return sum(flooder.responses for flooder in flooders)

        def ask():
            flood(flooders, data, lambda: answered() == CONNECTIONS * QUESTIONS, SECONDS)

        worst = worst_answer_during(serving, ask)
        print(f"    {answered()} answers about {PROCESSES} processes in at most {SECONDS} s")
        self.assertLess(worst, WORST_SECONDS_MAX)
        usage = serving_usage(client)
        self.assertGreater(usage.pids, PROCESSES)


def serving_usage(client):
    request = pb.ContainerStatusRequest(container_id="c", include_resource_usage=True)
    return client.call("ContainerStatus", request).resource_usage
