"""What a token of role `view` or `run` may have, over all its connections: what is over a limit is
refused, and another identity is answered as before.
"""

import contextlib
import os
import sys
import tempfile
import time
import unittest

import exec_pb2 as pb
from serving import Serving
from support import raise_descriptor_limit, request_frame, sized, worst_answer_during
from ttrpc_client import REMOTE_CLOSED, Connection, Failed

INVALID_ARGUMENT = 3
RESOURCE_EXHAUSTED = 8
CONNECTIONS = sized(500, 40)
EXECS = sized(15_000, 500)
LISTS = sized(900, 100)
LISTERS = 10
LIST_SECONDS_MAX = sized(0.1, 0.5)
UNREAD_LISTS = sized(300, 60)
UNREAD_BYTES_MAX = 64 << 20
FILTERED_LISTS = sized(20, 5)


class Identities(unittest.TestCase):
    def setUp(self):
        raise_descriptor_limit()

    def start(self, *options):
        directory = tempfile.TemporaryDirectory(prefix="execstream-identities-")
        self.addCleanup(directory.cleanup)
        tokens = os.path.join(directory.name, "tokens")
        with open(tokens, "w", encoding="ascii", opener=private) as file:
            file.write("wall view token-of-wall-0001\nci run token-of-ci-000001\n")
        self.serving = Serving(
            directory.name, tcp=True, options=("--tokens", tokens, *options))
        self.serving.start()
        self.addCleanup(self.serving.kill)

    def connect(self, token):
        client = Connection(self.serving.tcp)
        self.addCleanup(client.__exit__)
        client.call("Hello", pb.HelloRequest(client="attack/1", token=token))
        return client

    def wall(self):
        return self.connect("token-of-wall-0001")

    def ci(self):
        return self.connect("token-of-ci-000001")

    def refused(self, body, limit):
        with self.assertRaises(Failed) as caught:
            body()
        self.assertEqual(caught.exception.code, RESOURCE_EXHAUSTED)
        self.assertIn(limit, caught.exception.message)

    def others_are_served(self):
        with self.serving.connect() as admin:
            for client in (self.ci(), admin):
                client.call("ExecList", pb.ExecListRequest(container_id="nobody"))

    def test_connections_of_a_view_token(self):
        self.start("--identity-connections-max", str(CONNECTIONS))
        clients = [self.wall() for _ in range(CONNECTIONS)]
        self.refused(self.wall, f"identity wall has {CONNECTIONS} connections")
        self.others_are_served()
        self.assertEqual(len(clients), CONNECTIONS)

    def test_open_calls_of_a_view_token(self):
        self.start("--identity-streams-max", "1500")
        clients = [self.wall() for _ in range(2)]
        request = pb.ContainerLifecycleRequest().SerializeToString()
        for number in range(1_500):
            clients[number % 2].open("ContainerLifecycle", request, REMOTE_CLOSED)
        # Each connection is on a loop of its own: wait until both have opened what they were sent.
        for client in clients:
            with contextlib.suppress(Failed):
                client.call("ExecList", pb.ExecListRequest(container_id="nobody"))
        for client in clients:
            self.refused(
                lambda client=client: client.call("ExecList", pb.ExecListRequest()),
                "identity wall has 1500 open calls")
        self.others_are_served()

    def test_execs_of_a_run_token(self):
        self.start("--identity-execs-max", "100")
        client = self.ci()
        for number in range(100):
            publish(client, f"e{number}")
        with self.assertRaises(Failed) as caught:
            publish(client, "one-more").result()
        self.assertIn("identity ci has 100 execs", caught.exception.message)
        start = pb.Start(container_id="c", exec_id="s")
        start.command.argv.append("true")
        session = client.call_with_stream("Session")
        session.send(pb.SessionRequest(start=start))
        self.refused(lambda: next(session), "identity ci has 100 execs")
        self.others_are_served()

    def test_half_messages_of_a_view_token(self):
        limit = 32 << 20
        self.start("--identity-bytes-max", str(limit))
        before = self.serving.resident_bytes()
        message = request_frame(1, "Hello", pb.HelloRequest(client="x" * 4_000_000))
        closed = 0
        for _ in range(CONNECTIONS):
            client = self.wall()
            try:
                client.send_bytes(message[:-1])
            except OSError:
                closed += 1
        self.others_are_served()
        self.assertLess(self.serving.resident_bytes() - before, 3 * limit)

    def test_lists_of_many_execs_by_a_view_token(self):
        self.start()
        admin = self.serving.connect()
        self.addCleanup(admin.__exit__)
        streams = []
        for number in range(EXECS):
            if number % 900 == 0:
                admin = self.serving.connect()
                self.addCleanup(admin.__exit__)
            streams.append(publish(admin, f"e{number}", container=f"c{number % 50}"))
        admin.call("ExecList", pb.ExecListRequest(container_id="nobody"))
        clients = [self.wall() for _ in range(LISTERS)]
        nothing = pb.ExecListRequest()
        nothing.labels["there"] = "is none"
        lists = b"".join(request_frame(3 + 2 * n, "ExecList", nothing) for n in range(LISTS))

        def attack():
            begin = time.monotonic()
            for client in clients:
                client.send_bytes(lists)
            for client in clients:
                for number in range(LISTS):
                    client.result(3 + 2 * number, pb.ExecListResponse)
            print(f"    {time.monotonic() - begin:.1f} s for the lists", file=sys.stderr)

        self.assertLess(worst_answer_during(self.serving, attack), LIST_SECONDS_MAX)

    def publish_many(self, count, **labels):
        """Execs with these labels, which are there as long as the test runs."""
        for number in range(count):
            if number % 900 == 0:
                admin = self.serving.connect()
                self.addCleanup(admin.__exit__)
            publish(admin, f"e{number}", container=f"c{number % 50}", labels=labels)
            if number % 900 == 899 or number == count - 1:
                admin.call("ExecList", pb.ExecListRequest(container_id="nobody"))

    def test_lists_that_are_not_read_take_bounded_memory_and_close_nothing(self):
        self.start("--identity-bytes-max", str(UNREAD_BYTES_MAX))
        self.publish_many(sized(9_000, 2_000), text="x" * sized(380, 1_800))
        before = self.serving.resident_bytes()
        clients = [self.wall() for _ in range(UNREAD_LISTS)]
        stream = [client.open("ExecList", b"") for client in clients][0]
        answered = refused = peak = 0
        for client in clients:
            # What is not read yet is as much as there may be.
            peak = max(peak, self.serving.resident_bytes() - before)
            try:
                client.result(stream, pb.ExecListResponse)
                answered += 1
            except Failed as failure:
                self.assertEqual(failure.code, RESOURCE_EXHAUSTED)
                self.assertIn("bytes of messages and answers", failure.message)
                refused += 1
        print(
            f"    {answered} lists answered, {refused} refused; {peak >> 20} MiB",
            file=sys.stderr)
        # How many are refused depends on what the sockets' own buffers take.
        self.assertGreater(answered, 0)
        self.assertLess(peak, 3 * UNREAD_BYTES_MAX)
        self.others_are_served()

    def test_a_filter_with_a_long_key_costs_no_more_than_its_bytes(self):
        self.start()
        self.publish_many(1_500, a="b")
        client = self.wall()
        request = pb.ExecListRequest()
        request.labels["k" * (3_900 << 10)] = "x"
        with self.assertRaises(Failed) as caught:
            client.call("ExecList", request)
        self.assertEqual(caught.exception.code, INVALID_ARGUMENT)
        request = pb.ExecListRequest()
        request.labels["k" * 65_000] = "x"

        def attack():
            for _ in range(FILTERED_LISTS):
                client.call("ExecList", request)

        self.assertLess(worst_answer_during(self.serving, attack), LIST_SECONDS_MAX)


def private(path, flags):
    return os.open(path, flags, 0o600)


def publish(client, name, container="c", labels=None):
    stream = client.call_with_stream("Publish")
    register = pb.Register(container_id=container, exec_id=name, labels=labels)
    stream.send(pb.PublishRequest(register=register))
    return stream


if __name__ == "__main__":
    unittest.main()
