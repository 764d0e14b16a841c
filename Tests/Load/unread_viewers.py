#!/usr/bin/python3
"""Measures what viewers that never read cost an exec: the time that it takes to write, with none and
with many of them in turn, and by how much the server's memory grows.

    Scripts/test --filter NOTHING; swift build -c release
    PYTHONPATH=.build/interop:Tests/Interop Tests/Load/unread_viewers.py .build/release/execstream

Prints the medians; fails where they are over 1.1 times the time, or 64 MiB.
"""

import os
import statistics
import sys
import tempfile
import time

import exec_pb2
from serving import Serving
from ttrpc_client import REMOTE_OPEN

RUNS, VIEWERS = 5, 200
BYTES = int(os.environ.get("EXEC_BYTES", 1 << 30))


def connect(server):
    connection = server.connect()
    connection._socket.settimeout(300)
    return connection


def run(server, name, viewers):
    """The seconds from the go to the exit of an exec that writes BYTES."""
    start = exec_pb2.Start(container_id="load", exec_id=name)
    start.command.argv.extend(["sh", "-c", f"read go; exec head -c {BYTES} /dev/zero"])
    start.command.stdin = True
    # The one that starts it takes no output either, but has not to be read to be waited for.
    start.view.window_bytes = 1
    control = connect(server)
    session = control.call_with_stream("Session")
    session.send(exec_pb2.SessionRequest(start=start))
    next(session)
    crowd = []
    for _ in range(viewers):
        viewer = connect(server)
        attach = exec_pb2.SessionRequest(
            start=exec_pb2.Start(container_id="load", exec_id=name))
        viewer.open("Session", attach.SerializeToString(), REMOTE_OPEN)
        crowd.append(viewer)
    began = time.monotonic()
    session.send(exec_pb2.SessionRequest(stdin=b"go\n"))
    wait = exec_pb2.ExecWaitRequest(container_id="load", exec_id=name, timeout_ms=300_000)
    answer = control.call("ExecWait", wait)
    seconds = time.monotonic() - began
    assert answer.info.exit.stdout_bytes == BYTES, answer
    resident = server.resident_bytes()
    for connection in crowd + [control]:
        connection._socket.close()
    with connect(server) as cleaner:
        cleaner.call("ExecRemove", exec_pb2.ExecRemoveRequest(container_id="load", exec_id=name))
    return seconds, resident


def main():
    with tempfile.TemporaryDirectory(dir=os.environ.get("STATE_PARENT")) as directory:
        server = Serving(directory, program=sys.argv[1])
        server.start()
        try:
            run(server, "warm", 0)
            before = server.resident_bytes()
            alone, watched, residents = [], [], []
            for number in range(RUNS):
                alone.append(run(server, f"alone{number}", 0)[0])
                seconds, resident = run(server, f"watched{number}", VIEWERS)
                watched.append(seconds)
                residents.append(resident)
        finally:
            server.stop()
    ratio = statistics.median(watched) / statistics.median(alone)
    growth = (max(residents) - before) / (1 << 20)
    print(f"alone:   {statistics.median(alone):.2f} s ({min(alone):.2f} to {max(alone):.2f})")
    print(f"watched: {statistics.median(watched):.2f} s ({min(watched):.2f} to {max(watched):.2f})")
    print(f"ratio {ratio:.2f}, resident memory +{growth:.1f} MiB with {VIEWERS} viewers")
    sys.exit(0 if ratio <= 1.1 and growth < 64 else 1)


main()
