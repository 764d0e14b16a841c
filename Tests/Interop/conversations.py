"""Valid conversations, as frames: what the Python client has sent, each frame by itself."""

import exec_pb2 as pb
from ttrpc_client import HEADER, Connection, Failed

# Commands that stay harmless with any bit of them flipped, run by a server that a test owns.
ECHO, CAT, SLEEP = ["echo", "out"], ["cat"], ["sleep", "3"]


class Recorder(Connection):
    """A connection that keeps what it sends."""

    def __init__(self, address):
        super().__init__(address)
        self.frames = []

    def send_bytes(self, data):
        self.frames.append(data)
        super().send_bytes(data)


def record(server):
    """Holds each conversation once with the server; answers the frames of each."""
    found = []
    for number, hold in enumerate((session, input_, attach, publish, control, containers)):
        names = {"container_id": f"recorded{number}", "exec_id": "e"}
        with Recorder(server.tcp) as connection:
            hello = pb.HelloRequest(client="fuzz/1", token=server.token)
            connection.call("Hello", hello)
            hold(connection, names)
            found.append(connection.frames)
    return found


def start(connection, names, argv=None, **command):
    stream = connection.call_with_stream("Session")
    message = pb.Start(**names)
    if argv:
        message.command.MergeFrom(pb.Command(argv=argv, **command))
    stream.send(pb.SessionRequest(start=message))
    return stream


def session(connection, names):
    stream = start(connection, names, ECHO, env={"A": "b"}, labels={"k": "v"})
    list(stream)


def input_(connection, names):
    stream = start(connection, names, CAT, stdin=True)
    stream.send(pb.SessionRequest(stdin=b"typed\n"))
    stream.send(pb.SessionRequest(credit=pb.Credit(bytes=1000)))
    stream.send(pb.SessionRequest(stdin=bytes(3000)))
    stream.send(pb.SessionRequest(close_stdin=pb.CloseStdin()))
    list(stream)


def attach(connection, names):
    list(start(connection, names, ECHO))
    for view in (pb.View(tail_bytes=1), pb.View(after_sequence=1), pb.View(no_follow=True)):
        stream = connection.call_with_stream("Session")
        stream.send(pb.SessionRequest(start=pb.Start(**names, view=view)))
        list(stream)
    terminal = pb.Terminal(rows=20, columns=70)
    stream = start(connection, {**names, "exec_id": "t"}, CAT, terminal=terminal)
    stream.send(pb.SessionRequest(resize=pb.Resize(rows=30, columns=80)))
    stream.send(pb.SessionRequest(signal=pb.Signal(number=9)))
    list(stream)


def publish(connection, names):
    stream = connection.call_with_stream("Publish")
    stream.send(pb.PublishRequest(register=pb.Register(**names, labels={"k": "v"})))
    stream.send(pb.PublishRequest(stdout=b"out"))
    stream.send(pb.PublishRequest(stderr=bytes(500)))
    stream.send(pb.PublishRequest(exit=pb.PublishedExit(code=3)))
    stream.result()


def control(connection, names):
    stream = start(connection, names, SLEEP)
    next(stream)
    connection.call("ExecWait", pb.ExecWaitRequest(**names, timeout_ms=5))
    connection.call("ExecList", pb.ExecListRequest(labels={"k": "v"}))
    connection.call("ExecSignal", pb.ExecSignalRequest(**names, signal=pb.Signal(number=10)))
    list(stream)
    connection.call("ExecStop", pb.ExecStopRequest(**names, grace_ms=5))
    connection.call("ExecRemove", pb.ExecRemoveRequest(**names))


def containers(connection, names):
    container = {"container_id": names["container_id"]}
    request = pb.ContainerLifecycleRequest(**container, after_sequence=1)
    connection.call_for_stream("ContainerLifecycle", request)
    stream = start(connection, names, SLEEP)
    next(stream)
    request = pb.ContainerStatusRequest(**container, include_resource_usage=True)
    connection.call("ContainerStatus", request)
    for method in ("ContainerPause", "ContainerResume"):
        try:
            connection.call(method, pb.ContainerControlRequest(**container))
        except Failed:
            pass  # it can't be had everywhere
    request = pb.ContainerSignalRequest(**container, signal=pb.Signal(number=9))
    connection.call("ContainerSignal", request)
    list(stream)


def mutate(conversations, rng):
    """One conversation with some of it cut, repeated, moved, flipped, or from another one."""
    frames = list(rng.choice(conversations))
    for _ in range(rng.randrange(1, 5)):
        rng.choice(MUTATIONS)(frames, conversations, rng)
        if not frames:
            frames = list(rng.choice(conversations))
    return b"".join(frames)


def cut(frames, _, rng):
    at = rng.randrange(len(frames))
    frames[at] = frames[at][: rng.randrange(len(frames[at]) + 1)]
    if rng.random() < 0.5:
        del frames[at + 1 :]


def drop(frames, _, rng):
    del frames[rng.randrange(len(frames))]


def repeat(frames, _, rng):
    at = rng.randrange(len(frames))
    frames[at:at] = [frames[at]] * rng.choice((1, 1, 2, 50))


def reorder(frames, _, rng):
    one, other = rng.randrange(len(frames)), rng.randrange(len(frames))
    frames[one], frames[other] = frames[other], frames[one]


def flip(frames, _, rng):
    at = rng.randrange(len(frames))
    data = bytearray(frames[at])
    for _ in range(rng.randrange(1, 4)):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    frames[at] = bytes(data)


def graft(frames, conversations, rng):
    frames.insert(rng.randrange(len(frames) + 1), rng.choice(rng.choice(conversations)))


def rehead(frames, _, rng):
    """Another length, stream, type or flags over the same payload."""
    at = rng.randrange(len(frames))
    if len(frames[at]) < HEADER.size:
        return
    fields = list(HEADER.unpack_from(frames[at]))
    which = rng.randrange(4)
    choices = ((0, 1, fields[0] + 1, 4 << 20, (4 << 20) + 1), (0, 1, 2, 3, 5, 0xFFFFFFFF),
               range(6), range(256))
    fields[which] = rng.choice(choices[which])
    frames[at] = HEADER.pack(*fields) + frames[at][HEADER.size :]


MUTATIONS = (cut, drop, repeat, reorder, flip, flip, graft, rehead)
