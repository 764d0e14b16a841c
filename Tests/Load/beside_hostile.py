#!/usr/bin/python3
"""What hostile clients cost honest ones: 50 viewers of an exec that writes a line each 10 ms, first alone
and then beside 10,000 hostile connections. Each viewer must get each line, and the 99th percentile of the
time from writing to arrival may be twice what it is alone.

    Scripts/test-hostile [PROGRAM]

The hostile clients, which are no part of what is measured, run when nobody else wants a processor.
$EXECSTREAM_HOSTILE says how many connections (10000), $EXECSTREAM_SEED repeats what was drawn.
"""

import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

import exec_pb2 as pb
from crowd import hostile
from crowd.soak import Client, Soak
from serving import Serving
from streams import percentile, read_delays

CONNECTIONS = int(os.environ.get("EXECSTREAM_HOSTILE", 10_000))
SEED = int(os.environ.get("EXECSTREAM_SEED", random.SystemRandom().randrange(1 << 32)))
TOOLS = os.environ["EXECSTREAM_TOOLS"]
VIEWERS = 50
INTERVAL_US = 10_000
LINE_BYTES = 64
ALONE_LINES = 1500
# Long enough for the hostile clients.
BESIDE_LINES = max(3000, CONNECTIONS * 6 // 5)
HOSTILE_CLIENTS = 100
RATIO_MAX = 2
# Those who look on are strangers here: who may run commands can use up any machine.
ACTS = (
    hostile.send_garbage, hostile.send_half_a_frame, hostile.send_a_huge_length, hostile.creep,
    hostile.guess_tokens, hostile.call_before_hello, hostile.confuse,
    hostile.view_unread({"container_id": "honest", "exec_id": "beside"}),
)


class Watched:
    """An exec that writes lines, and its viewers in a process of their own."""

    def __init__(self, serving, directory, name, lines):
        self.lines = lines
        gate = f"{directory}/{name}.gate"
        self.times = pathlib.Path(directory, f"{name}.times")
        os.mkfifo(gate)
        start = pb.Start(container_id="honest", exec_id=name)
        start.command.argv.extend(
            [f"{TOOLS}/source", "gate", gate, "lines", str(lines), str(INTERVAL_US)])
        with serving.connect() as connection:
            stream = connection.call_with_stream("Session")
            stream.send(pb.SessionRequest(start=start))
            next(stream)
        self.viewer = subprocess.Popen(
            [f"{TOOLS}/viewer", "-t", self.times, "exec", serving.tcp, serving.token, str(VIEWERS),
             f"honest/{name}"],
            stdout=subprocess.PIPE, text=True, preexec_fn=go_first)
        assert self.viewer.stdout.readline() == "ready\n", "the viewers do not come in"
        os.close(os.open(gate, os.O_WRONLY))

    def result(self):
        """Waits for the end; each viewer must have got every line, and the exit."""
        result = json.loads(self.viewer.stdout.read())
        assert self.viewer.wait() == 0, "a viewer failed"
        assert result["bytes"] == self.lines * LINE_BYTES * VIEWERS, "a viewer lacks lines"

    def delays(self, after=0.0, before=1e9):
        return read_delays(self.times, after * 1e9, before * 1e9)


def go_first():
    """So that a viewer does not wait for a processor that the server has: it stands for another machine."""
    if os.geteuid() == 0:
        os.nice(-19)


def attack(soak):
    """10,000 connections, in a process of its own that gives way to everybody."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    clients = []
    for number in range(HOSTILE_CLIENTS):
        client = Client(soak, number, ACTS, random.Random(f"{SEED}/{number}"))
        clients.append(client)
        client.start()
    while soak.counts["hostile connections"] < CONNECTIONS:
        time.sleep(0.05)
    soak.over.set()
    for client in clients:
        client.join(60)
    for wrong in soak.wrongs:
        print("WRONG:", wrong)
    made = {act.__name__: soak.counts[act.__name__] for act in ACTS}
    print(f"{soak.counts['hostile connections']} hostile connections:",
          ", ".join(f"{count} {name}" for name, count in made.items()))
    sys.stdout.flush()
    os._exit(1 if soak.wrongs else 0)


def told(name, delays):
    p50, p99 = percentile(delays, 0.5), percentile(delays, 0.99)
    print(f"{name}: p50 {p50:.0f} µs, p99 {p99:.0f} µs, {len(delays)} lines at viewers")
    return p99


def main():
    print(f"seed {SEED}, {VIEWERS} viewers, a line each {INTERVAL_US // 1000} ms")
    with tempfile.TemporaryDirectory(prefix="execstream-hostile-") as directory:
        serving = Serving(directory, tcp=True)
        serving.start()
        try:
            alone = Watched(serving, directory, "alone", ALONE_LINES)
            alone.result()
            before = told("alone", alone.delays())
            beside = Watched(serving, directory, "beside", BESIDE_LINES)
            began = time.monotonic()
            sys.stdout.flush()
            attacker = os.fork()
            if attacker == 0:
                attack(Soak(serving, SEED))
            _, status = os.waitpid(attacker, 0)
            ended = time.monotonic()
            assert beside.viewer.poll() is None, "the hostile clients took longer than the exec"
            beside.result()
            during = told(f"beside them, {ended - began:.0f} s", beside.delays(began, ended))
            code = serving.stop()
        finally:
            serving.kill()
    print(f"p99: {during / before:.2f} times what it is alone")
    if status != 0 or code != 0 or during > RATIO_MAX * before:
        sys.exit("FAILED")


main()
