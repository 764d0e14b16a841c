"""Clients that keep to the protocol, however slow or mortal they are: they are owed every byte."""

import signal
import struct
import socket

import exec_pb2 as pb
from patterns import burst, flood, lines, both
from ttrpc_client import Failed

from .transcript import Transcript, expect

# So much that some falls behind the ring, so little that the crowd gets through it.
BYTES_MAX = 3 << 19


def command(argv, names, **options):
    start = pb.Start(**names)
    start.command.MergeFrom(pb.Command(argv=argv, **options))
    return start


def finite(rng, names):
    """An exec that ends by itself: its start, its code, and what it writes."""
    text = f"{names['container_id']}-{names['exec_id']}"
    if rng.random() < 0.2:
        script, code, patterns = flood(text, rng, BYTES_MAX)
    else:
        script, code, patterns = burst(text, rng, 3000)
    return command(["sh", "-c", script], names), code, patterns


def ticking(rng, names, **options):
    """An exec that goes on until it is ended; sometimes with somebody who left its group."""
    text = f"{names['container_id']}-{names['exec_id']}"
    script = (
        "i=0; while :; do for j in 1 2 3 4 5 6 7 8 9 10; do i=$((i+1)); "
        f'echo "{text} $i"; echo "E{text} $i" >&2; done; sleep 0.05; done'
    )
    if options.pop("with_offspring", False):
        script = "(setsid sleep 600 > /dev/null 2>&1 &); " + script
    patterns = {name: lambda p=p: lines(p) for name, p in both(text)}
    return command(["sh", "-c", script], names, **options), patterns


def watch(soak, rng, names):
    """Starts an exec and reads all; another reads it again when it has exited."""
    start, code, patterns = finite(rng, names)
    with soak.connect(rng) as connection:
        stream, _ = soak.start(connection, rng, start)
        first = Transcript(soak, patterns)
        first.to_the_end(stream)
        first.check_whole(code)
        stream, ready = soak.start(connection, rng, pb.Start(**names))
        expect(ready.joined, "a viewer of what is there did not join")
        late = Transcript(soak, patterns)
        late.to_the_end(stream)
        expect(late.exit == first.exit, "the exit is another for a late viewer")


def read_slowly(soak, rng, names):
    """Takes a little, gives credit, waits."""
    start, code, patterns = finite(rng, names)
    start.view.window_bytes = rng.randrange(1, 1 << 17)
    with soak.connect(rng) as connection:
        stream, _ = soak.start(connection, rng, start)
        transcript = Transcript(soak, patterns)
        for message in stream:
            taken = transcript.take(message)
            if taken:
                stream.send(pb.SessionRequest(credit=pb.Credit(bytes=taken)))
                if rng.random() < 0.05:
                    soak.pause(rng, 0.1)
        transcript.check_whole(code)


def die_and_come_back(soak, rng, names):
    """Cuts its connection off in the middle, and resumes after the last chunk it saw."""
    start, code, patterns = finite(rng, names)
    transcript = Transcript(soak, patterns)
    deaths = rng.randrange(1, 4)
    while transcript.exit is None:
        with soak.connect(rng) as connection:
            stream, _ = soak.start(connection, rng, start)
            lives = rng.randrange(1, 30) if deaths else None
            for message in stream:
                transcript.take(message)
                if lives is not None:
                    lives -= 1
                    if lives == 0 and transcript.exit is None:
                        break
            if rng.random() < 0.5:
                reset(connection)
        deaths = max(0, deaths - 1)
        start = pb.Start(**names)
        start.view.after_sequence = transcript.sequence
        soak.count("deaths")
    transcript.check_whole(code)


def stop(soak, rng, names):
    """Ends an exec that goes on, in one of the ways there are."""
    way = rng.choice(("stop", "kill", "timeout", "ignored"))
    options = {"with_offspring": way in ("stop", "timeout")}
    if way == "timeout":
        options["timeout_ms"] = rng.randrange(50, 300)
    start, patterns = ticking(rng, names, **options)
    if way == "ignored":
        start.command.argv[2] = "trap '' TERM; " + start.command.argv[2]
    with soak.connect(rng) as connection, soak.connect(rng) as control:
        stream, _ = soak.start(connection, rng, start)
        transcript = Transcript(soak, patterns)
        # On a busy machine a timeout may come before the first line.
        while transcript.sequence == 0 and transcript.exit is None:
            transcript.take(next(stream))
        expect(transcript.exit is None or way == "timeout", "it ended before it was to")
        if way in ("stop", "ignored"):
            request = pb.ExecStopRequest(**names, grace_ms=100 if way == "ignored" else 60_000)
            told = control.call("ExecStop", request).info
            expect(told.state == pb.EXEC_STATE_EXITED, "a stop that has not ended it")
        elif way == "kill":
            number = pb.Signal(number=signal.SIGKILL)
            control.call("ExecSignal", pb.ExecSignalRequest(**names, signal=number))
        transcript.to_the_end(stream)
    client, timeout = pb.STOP_CAUSE_CLIENT, pb.STOP_CAUSE_TIMEOUT
    transcript.check_exit(*{
        "stop": (143, pb.EXIT_REASON_SIGNAL, client),
        "kill": (137, pb.EXIT_REASON_SIGNAL),
        "timeout": (143, pb.EXIT_REASON_SIGNAL, timeout),
        "ignored": (137, pb.EXIT_REASON_FORCED_KILL, client),
    }[way])


def leave_it(soak, rng, names):
    """Leaves an exec that is to be stopped when nobody is there any more."""
    start, _ = ticking(rng, names, with_offspring=True)
    start.on_disconnect.action = pb.OnDisconnect.ACTION_STOP
    with soak.connect(rng) as connection:
        soak.start(connection, rng, start)
        if rng.random() < 0.5:
            reset(connection)
    with soak.connect(rng) as connection:
        wait = pb.ExecWaitRequest(**names, timeout_ms=60_000)
        told = connection.call("ExecWait", wait).info.exit
    is_right = (told.code, told.cause) == (143, pb.STOP_CAUSE_DISCONNECT)
    expect(is_right, "left, and its exit is", told)
    soak.count("exits checked")


def feed(soak, rng, names):
    """Sends stdin as credit allows, and gets it back."""
    data = rng.randbytes(rng.randrange(1, 300_000))
    patterns = {"stdout": lambda: [data], "stderr": lambda: []}
    with soak.connect(rng) as connection:
        stream, ready = soak.start(connection, rng, command(["cat"], names, stdin=True))
        transcript = Transcript(soak, patterns)
        credit, sent = ready.stdin_credit, 0
        while sent < len(data):
            piece = data[sent : sent + min(credit, 65536)]
            if piece:
                stream.send(pb.SessionRequest(stdin=piece))
                credit -= len(piece)
                sent += len(piece)
                continue
            message = next(stream)
            transcript.take(message)
            credit += message.stdin_credit.bytes
        stream.half_close()
        transcript.to_the_end(stream)
        transcript.check_whole(0)


def publish(soak, rng, names):
    """Publishes an exec, and goes away without an exit now and then."""
    pieces = [rng.randbytes(rng.randrange(1, 100_000)) for _ in range(rng.randrange(1, 10))]
    tells = rng.random() < 0.7
    patterns = {"stdout": lambda: pieces, "stderr": lambda: []}
    with soak.connect(rng) as viewing:
        with soak.connect(rng) as connection:
            stream = connection.call_with_stream("Publish")
            stream.send(pb.PublishRequest(register=pb.Register(**names)))
            # The viewer is to find it: what comes next on this connection comes after it.
            connection.call("ExecWait", pb.ExecWaitRequest(**names))
            viewer, _ = soak.start(viewing, rng, pb.Start(**names))
            for piece in pieces:
                stream.send(pb.PublishRequest(stdout=piece))
            if tells:
                stream.send(pb.PublishRequest(exit=pb.PublishedExit(code=5)))
                expect(stream.result().exit.code == 5, "another code than was published")
            else:
                stream.half_close()
                told = stream.result().exit
                expect(told.reason == pb.EXIT_REASON_RUNTIME_ERROR, "a lost publisher's exit", told)
        transcript = Transcript(soak, patterns)
        transcript.to_the_end(viewer)
        if tells:
            transcript.check_whole(5)


def start_twice(soak, rng, names):
    """Sends the same start again, as after a break: it joins, and nothing runs twice."""
    start, code, patterns = finite(rng, names)
    with soak.connect(rng) as one, soak.connect(rng) as other:
        first, ready = soak.start(one, rng, start)
        second, again = soak.start(other, rng, start)
        expect(again.joined and not ready.joined, "it was started twice")
        expect(again.info.pid == ready.info.pid or again.info.exit.code == code, "two processes")
        for stream in (first, second):
            transcript = Transcript(soak, patterns)
            transcript.to_the_end(stream)
            transcript.check_whole(code)


def remove(soak, rng, names):
    """Has an exec forgotten, and is told of nothing after that."""
    start, code, patterns = finite(rng, names)
    with soak.connect(rng) as connection:
        stream, _ = soak.start(connection, rng, start)
        transcript = Transcript(soak, patterns)
        transcript.to_the_end(stream)
        transcript.check_whole(code)
        connection.call("ExecRemove", pb.ExecRemoveRequest(**names))
        try:
            connection.call("ExecWait", pb.ExecWaitRequest(**names))
        except Failed as failure:
            expect(failure.code == 5, "removed, and", failure)
        else:
            expect(False, "what was removed is still there")


def reset(connection):
    """Closes it with a reset, where it has one: what is on its way is lost."""
    linger = struct.pack("ii", 1, 0)
    connection._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection._socket.close()


ACTS = (
    watch, watch, read_slowly, die_and_come_back, die_and_come_back, stop, leave_it, feed, publish,
    start_twice, remove,
)
