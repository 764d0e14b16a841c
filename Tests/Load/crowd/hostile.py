"""Clients that keep to nothing. They are owed nothing; they must cost nobody else anything."""

import socket

import exec_pb2 as pb
from ttrpc_client import DATA, HEADER, REMOTE_OPEN, REQUEST, Closed, Connection, Failed

from .honest import command, reset
from .transcript import expect

# Not the address that honest clients come from: who guesses tokens is slowed down by it.
SOURCE = "127.0.0.2"


def quietly(act):
    """Whatever the server does to such a client is right."""
    def acted(soak, rng, names):
        try:
            act(soak, rng, names)
        except (OSError, Closed, Failed, StopIteration):
            pass
    acted.__name__ = act.__name__
    return acted


def dial(soak, rng, tcp=None):
    """A bare socket, by TCP or as one that is let in."""
    soak.count("hostile connections")
    if rng.random() < 0.5 if tcp is None else tcp:
        host, _, port = soak.serving.tcp.removeprefix("tcp:").rpartition(":")
        return socket.create_connection((host, int(port)), 20, (SOURCE, 0))
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(20)
    connection.connect(soak.serving.unix.removeprefix("unix:"))
    return connection


def hold(soak, rng, connection):
    """Stays for a while, reads or not, and goes with or without a word."""
    soak.pause(rng, rng.choice((0, 0.2, 2)))
    if rng.random() < 0.5:
        connection.settimeout(0.2)
        connection.recv(1 << 16)


@quietly
def send_garbage(soak, rng, _):
    with dial(soak, rng) as connection:
        start = rng.choice((b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"\0"))
        connection.sendall(start + rng.randbytes(rng.randrange(1, 5000)))
        hold(soak, rng, connection)


@quietly
def send_half_a_frame(soak, rng, _):
    with dial(soak, rng) as connection:
        frame = HEADER.pack(rng.randrange(1, 4 << 20), 1, REQUEST, 0) + rng.randbytes(100)
        connection.sendall(frame[: rng.randrange(1, len(frame))])
        hold(soak, rng, connection)


@quietly
def send_a_huge_length(soak, rng, _):
    with dial(soak, rng) as connection:
        length = rng.choice(((4 << 20) + 1, (16 << 20) - 1, 4 << 20))
        connection.sendall(HEADER.pack(length, 1, rng.choice((REQUEST, DATA)), 0))
        connection.sendall(bytes(rng.randrange(0, 1 << 20)))
        hold(soak, rng, connection)


@quietly
def creep(soak, rng, _):
    with dial(soak, rng) as connection:
        for byte in HEADER.pack(20, 1, REQUEST, 0):
            connection.sendall(bytes((byte,)))
            soak.pause(rng, 0.1)


@quietly
def guess_tokens(soak, rng, _):
    with dial(soak, rng, tcp=True) as bare:
        connection = Connection.__new__(Connection)
        vars(connection).update(_socket=bare, _arrived={}, _next_stream=1)
        for number in range(1, 9, 2):
            hello = pb.HelloRequest(client="x", token=rng.randbytes(16).hex())
            connection.open("Hello", hello.SerializeToString(), stream=number)
        hold(soak, rng, bare)


@quietly
def call_before_hello(soak, rng, names):
    with dial(soak, rng, tcp=True) as bare:
        connection = Connection.__new__(Connection)
        vars(connection).update(_socket=bare, _arrived={}, _next_stream=1)
        for method in ("ExecList", "Session", "Publish", "ContainerLifecycle"):
            connection.open(method, command(["false"], names).SerializeToString())
        hold(soak, rng, bare)


@quietly
def confuse(soak, rng, names):
    """Frames that are well formed, and make no sense."""
    with soak.serving.connect() as connection:
        soak.count("hostile connections")
        for _ in range(rng.randrange(1, 40)):
            stream = rng.choice((0, 1, 2, 3, 5, 999, 0xFFFFFFFF))
            start = command(["true"], names).SerializeToString()
            payload = rng.choice((b"", rng.randbytes(20), start))
            if rng.random() < 0.3:
                method = rng.choice(("Session", "Publish", "ExecList", "Fly", ""))
                connection.open(method, payload, rng.randrange(8), stream=stream)
            else:
                connection.send(stream, rng.randrange(5), rng.randrange(256), payload)
        hold(soak, rng, connection._socket)
        if rng.random() < 0.3:
            reset(connection)


def view_unread(names):
    """An act: many views of an exec that is there, on a connection that is never read."""
    @quietly
    def open_and_never_read(soak, rng, _):
        with soak.serving.connect(soak.serving.tcp) as deaf:
            soak.count("hostile connections")
            start = pb.Start(**names)
            start.view.window_bytes = rng.choice((0, 1, 1 << 16))
            attach = pb.SessionRequest(start=start).SerializeToString()
            for _ in range(rng.randrange(1, 50)):
                deaf.open("Session", attach, REMOTE_OPEN)
            soak.pause(rng, rng.choice((0, 1, 2)))
            if rng.random() < 0.5:
                reset(deaf)
    return open_and_never_read


def never_read(soak, rng, names):
    """Many views of one exec on a connection that is never read; the exec ends all the same."""
    size = rng.randrange(1, 2 << 20)
    start = command(["sh", "-c", f"head -c {size} /dev/zero; exit 9"], names)
    start.view.window_bytes = 1
    with soak.serving.connect() as deaf, soak.serving.connect() as control:
        soak.count("hostile connections")
        stream, _ = soak.start(control, rng, start)
        attach = pb.SessionRequest(start=pb.Start(**names)).SerializeToString()
        for _ in range(rng.randrange(1, 50)):
            deaf.open("Session", attach, REMOTE_OPEN)
        wait = pb.ExecWaitRequest(**names, timeout_ms=60_000)
        told = control.call("ExecWait", wait).info.exit
        expect((told.code, told.stdout_bytes) == (9, size), "unread, and its exit is", told)
        soak.count("exits checked")
        soak.pause(rng, rng.choice((0, 1)))
        if rng.random() < 0.5:
            reset(deaf)


ACTS = (
    send_garbage, send_half_a_frame, send_a_huge_length, creep, guess_tokens, call_before_hello,
    confuse, never_read,
)
