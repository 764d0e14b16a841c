"""A server that the system gives no more descriptors or memory, and a client that is gone without a word."""

import os
import resource
import signal
import socket
import tempfile
import threading
import unittest

import exec_pb2 as pb
import own_network
from serving import PROGRAM, Serving

DESCRIPTORS = 48
MEMORY_BYTES = 48 << 20
PAUSED = "accepting is paused"


def start_of(exec_id, script, **view):
    start = pb.Start(container_id="c", exec_id=exec_id, view=pb.View(**view))
    start.command.argv.extend(["sh", "-c", script])
    return start


def open_session(connection, start):
    stream = connection.call_with_stream("Session")
    stream.send(pb.SessionRequest(start=start))
    return stream


def run(connection, exec_id, script):
    """Runs it to its exit: what it wrote, and the exit."""
    said, told = b"", None
    for message in open_session(connection, start_of(exec_id, script)):
        said += message.output.stdout
        told = message.exit if message.HasField("exit") else told
    return said, told


class ShortageTests(unittest.TestCase):
    def serve(self, options=(), **more):
        directory = tempfile.TemporaryDirectory(prefix="execstream-shortage-")
        self.addCleanup(directory.cleanup)
        serving = Serving(directory.name, options=options, **more)
        self.addCleanup(serving.kill)
        return serving

    def test_without_descriptors_the_listener_pauses_says_so_once_and_comes_back(self):
        serving = self.serve(tcp=True)
        serving.start()
        resource.prlimit(serving.process.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
        with serving.connect() as honest:
            stream = open_session(honest, start_of("stays", "echo here; exec sleep 600"))
            next(message for message in stream if message.HasField("output"))
            host, _, port = serving.tcp.removeprefix("tcp:").rpartition(":")
            hoard = [socket.create_connection((host, int(port))) for _ in range(DESCRIPTORS)]
            serving.wait_for(PAUSED)
            # Who was there before goes on; what can't be had is refused, and breaks nothing.
            honest.call("ExecList", pb.ExecListRequest())
            self.assertEqual(run(honest, "more", "exit 0")[1].reason, pb.EXIT_REASON_START_FAILED)
            for each in hoard:
                each.close()
            with serving.connect() as late:
                self.assertEqual(run(late, "later", "echo yes; exit 4")[0], b"yes\n")
            number = pb.Signal(number=signal.SIGKILL)
            honest.call("ExecSignal", pb.ExecSignalRequest(
                container_id="c", exec_id="stays", signal=number))
            told = [message.exit for message in stream if message.HasField("exit")]
            self.assertEqual(told[0].code, 137)
        said = [line for line in serving.said if PAUSED in line]
        self.assertEqual(len(said), 1, serving.said)
        self.assertEqual(serving.stop(), 0)

    @unittest.skipIf("san" in PROGRAM, "a sanitizer takes memory of its own")
    def test_viewers_that_never_read_stay_within_the_memory_that_the_server_may_have(self):
        serving = self.serve()
        serving.start()
        limit = serving.data_bytes() + MEMORY_BYTES
        resource.prlimit(serving.process.pid, resource.RLIMIT_DATA, (limit, limit))
        with serving.connect() as reading:
            stream = open_session(reading, start_of("much", "head -c 300000000 /dev/zero; exit 5"))
            deaf = [serving.connect() for _ in range(30)]
            for connection in deaf:
                for _ in range(10):
                    open_session(connection, pb.Start(container_id="c", exec_id="much"))
            count, told = 0, None
            for message in stream:
                count += len(message.output.stdout)
                told = message.exit if message.HasField("exit") else told
            self.assertEqual((count, told.code), (300_000_000, 5))
            for connection in deaf:
                connection.__exit__()
        self.assertEqual(serving.stop(), 0)

    @unittest.skipUnless(os.geteuid() == 0, "only root can make a network of its own")
    def test_a_client_that_is_gone_without_a_word_is_noticed_and_its_exec_stopped(self):
        # On a loopback interface of its own: while that is down, nothing arrives, and nothing answers.
        serving = self.serve(tcp=True, options=("--keepalive", "1s"), prefix=own_network.COMMAND)
        serving.start()
        clients, failures = [], []

        def vanish():
            try:
                own_network.enter(serving.process.pid)
                clients.append(serving.connect(serving.tcp))
                start = start_of("left", "sleep 600")
                start.on_disconnect.action = pb.OnDisconnect.ACTION_STOP
                next(open_session(clients[0], start))
                # What is not acknowledged is sent again for a quarter of an hour, and nobody is asked.
                while not own_network.is_all_acknowledged(serving.process.pid):
                    pass
                own_network.set_loopback(up=False)
            except Exception as error:
                failures.append(error)

        thread = threading.Thread(target=vanish)
        thread.start()
        thread.join()
        self.assertEqual(failures, [])
        with serving.connect() as control, clients[0]:
            wait = pb.ExecWaitRequest(container_id="c", exec_id="left", timeout_ms=30_000)
            told = control.call("ExecWait", wait).info.exit
        self.assertEqual((told.code, told.cause), (143, pb.STOP_CAUSE_DISCONNECT), told)
        self.assertEqual(serving.stop(), 0)


if __name__ == "__main__":
    unittest.main()
