"""What the attacks share: the short form, another client that measures how long its answers take, and
frames that are built once and sent many times.
"""

import contextlib
import os
import resource
import select
import socket
import subprocess
import sys
import time

import exec_pb2 as pb
import ttrpc_pb2
from ttrpc_client import (
    DATA, HEADER, REMOTE_CLOSED, REMOTE_OPEN, REQUEST, RESPONSE, SERVICE, Closed, Connection,
)

# CI runs the short form: seconds for each attack. The full form has the sizes of a determined attacker.
SHORT = os.environ.get("EXECSTREAM_SHORT", "") not in ("", "0")

# How often the other client asks.
INTERVAL_SECONDS = 0.003
# A server that does not answer for this long has failed whatever the bound is.
ANSWER_SECONDS_MAX = 120


def sized(full, short):
    """The size of an attack in the form that is run."""
    return short if SHORT else full


def raise_descriptor_limit():
    """Lets this process have as many descriptors as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# Another client


class OtherClient:
    """A client that asks for something small every few milliseconds while an attack goes on.

    It runs in a process of its own, so that the attacker's work in Python does not count, and with
    one connection for each event loop of the server, so that it notices any loop that is busy.
    After `close` it has `worst` (seconds), `p99` (seconds) and `count`.
    """

    def __init__(self, serving):
        self._process = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), serving.unix],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=_go_first,
        )
        self.worst = self.p99 = None
        self.count = 0
        if self._process.stdout.readline() != "ready\n":
            self._process.kill()
            raise AssertionError("the other client cannot connect")

    def close(self):
        """Asks once more, and waits for the answers."""
        output, _ = self._process.communicate(timeout=2 * ANSWER_SECONDS_MAX)
        assert self._process.returncode == 0, "the other client failed"
        worst, p99, count = output.split()
        self.worst, self.p99, self.count = float(worst), float(p99), int(count)


@contextlib.contextmanager
def other_client(serving):
    """An `OtherClient` that measures for as long as the block runs."""
    other = OtherClient(serving)
    try:
        yield other
    finally:
        other.close()


def worst_answer_during(serving, attack):
    """Calls `attack()`, and returns how long another client waited for its slowest answer meanwhile, in
    seconds. The attack must not return before the server has done what it was made to do.
    """
    with other_client(serving) as other:
        attack()
    print(
        f"    {other.count} answers to another client: worst {other.worst * 1000:.1f} ms, "
        f"99th percentile {other.p99 * 1000:.1f} ms", file=sys.stderr)
    return other.worst


def _go_first():
    # The client stands for another machine: it does not wait for a processor that the attack has.
    if os.geteuid() == 0:
        os.nice(-19)


def _probe(address):
    """The other client's process: asks until its stdin ends, then prints what it has measured."""
    asking = pb.ExecListRequest(container_id="nobody").SerializeToString()
    connections = [Connection(address) for _ in range(min(os.cpu_count() or 1, 8))]
    for connection in connections:
        connection._socket.settimeout(ANSWER_SECONDS_MAX)
    print("ready", flush=True)
    waits = []
    is_last = False
    while not is_last:
        is_last = bool(select.select([sys.stdin], [], [], INTERVAL_SECONDS)[0])
        asked = time.monotonic()
        streams = [connection.open("ExecList", asking) for connection in connections]
        for connection, stream in zip(connections, streams):
            connection.result(stream, pb.ExecListResponse)
            connection._arrived.pop(stream, None)
            waits.append(time.monotonic() - asked)
    waits.sort()
    print(waits[-1], waits[len(waits) * 99 // 100], len(waits))


# Frames that are built once


def frame(stream, kind, flags=0, payload=b""):
    return HEADER.pack(len(payload), stream, kind, flags) + payload


def request_frame(stream, method, message, flags=0):
    """The frame that opens a call."""
    request = ttrpc_pb2.Request(
        service=SERVICE, method=method, payload=message.SerializeToString())
    return frame(stream, REQUEST, flags, request.SerializeToString())


def session_frames(count, start, first=1):
    """`count` Sessions with one Start message, on streams from `first` on."""
    message = pb.SessionRequest(start=start)
    return b"".join(
        request_frame(first + 2 * number, "Session", message, REMOTE_OPEN)
        for number in range(count))


def subscription_frames(count, container="", first=1):
    """`count` subscriptions to lifecycle events."""
    message = pb.ContainerLifecycleRequest(container_id=container)
    return b"".join(
        request_frame(first + 2 * number, "ContainerLifecycle", message, REMOTE_CLOSED)
        for number in range(count))


class Flooder:
    """A connection of an attacker: sends what it is given and counts the frames that arrive."""

    def __init__(self, address):
        kind, _, path = address.partition(":")
        assert kind == "unix", address
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(ANSWER_SECONDS_MAX)
        self.socket.connect(path)
        self.streams = set()  # those on which something arrived
        self.frames = 0
        self.responses = 0
        self.failures = []
        self._buffer = bytearray(1 << 20)
        self._header = b""
        self._left = 0  # of the present frame's payload
        self._kept = None  # that payload, where it is looked at

    def close(self):
        self.socket.close()

    def send(self, data):
        """Sends all of it, and takes what the server says meanwhile."""
        view = memoryview(data)
        while view:
            readable, writable, _ = select.select(
                [self.socket], [self.socket], [], ANSWER_SECONDS_MAX)
            assert readable or writable, "the server neither reads nor writes"
            if readable:
                self.receive()
            if writable:
                view = view[self.send_some(view):]

    def send_some(self, data):
        """Sends what the socket takes; returns how many bytes."""
        try:
            return self.socket.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0

    def receive(self):
        """Takes what is there, waiting for something."""
        count = self.socket.recv_into(self._buffer)
        if not count:
            raise Closed
        data, at = memoryview(self._buffer)[:count], 0
        while at < count:
            if not self._left:
                piece = data[at:at + HEADER.size - len(self._header)]
                self._header += piece
                at += len(piece)
                if len(self._header) < HEADER.size:
                    return
                self._begin(*HEADER.unpack(self._header))
                self._header = b""
                continue
            piece = data[at:at + self._left]
            if self._kept is not None:
                self._kept += piece
            self._left -= len(piece)
            at += len(piece)
            if not self._left and self._kept is not None:
                self._note(bytes(self._kept))
                self._kept = None

    def _begin(self, length, stream, kind, _):
        self.streams.add(stream)
        self.frames += 1
        self.responses += kind == RESPONSE
        self._left = length
        # A large answer is no failure: don't keep it.
        self._kept = bytearray() if kind == RESPONSE and 0 < length < 4096 else None

    def _note(self, payload):
        status = ttrpc_pb2.Response.FromString(payload).status
        if status.code != 0:
            self.failures.append(f"status {status.code}: {status.message}")

    def receive_from(self, count):
        """Waits until something has arrived on `count` streams."""
        while len(self.streams) < count:
            self.receive()


def flood(flooders, data, is_over, seconds_max):
    """Sends `data` on each of the connections and takes all answers, until `is_over()` or the time has
    passed.
    """
    rest = {flooder.socket: (flooder, memoryview(data)) for flooder in flooders}
    deadline = time.monotonic() + seconds_max
    while not is_over() and time.monotonic() < deadline:
        waiting = [end for end, (_, view) in rest.items() if view]
        readable, writable, _ = select.select(list(rest), waiting, [], 0.1)
        for end in readable:
            rest[end][0].receive()
        for end in writable:
            flooder, view = rest[end]
            rest[end] = flooder, view[flooder.send_some(view):]


def wait_for_descriptors(serving, count, seconds=ANSWER_SECONDS_MAX):
    """Waits until the server has no more than `count` descriptors."""
    deadline = time.monotonic() + seconds
    while len(os.listdir(f"/proc/{serving.process.pid}/fd")) > count:
        assert time.monotonic() < deadline, "the server does not close its descriptors"
        time.sleep(0.01)


def start_sleeper(connection, container="crowd", name="silent"):
    """Starts an exec that says nothing; returns its session."""
    stream = connection.call_with_stream("Session")
    start = pb.Start(container_id=container, exec_id=name)
    start.command.argv.extend(["sleep", "3600"])
    stream.send(pb.SessionRequest(start=start))
    next(stream)
    return stream


if __name__ == "__main__":
    _probe(sys.argv[1])
