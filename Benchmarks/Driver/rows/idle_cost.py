"""What is resident for each instance and viewer, and what an idle server does: nothing."""

import shutil
import time

from results import Line
from streams import KEY, view

# Calls that one connection may have open.
STREAMS_MAX = 1000
RUN_PROGRAM, SLEEP_PROGRAM = shutil.which("true"), shutil.which("sleep")


def run(bench):
    each = bench.pick(10_000, 200)
    kinds = {
        "registered exec": (register, each),
        "exited exec": (run_to_end, bench.pick(9_984, 192)),
        "running exec (sleep)": (start_sleeping, bench.pick(1_000, 50)),
        "idle viewer": (attach, each),
    }
    samples = bench.interleave({
        "none": lambda: sample(bench, lambda *_: None, 1),
        **{name: lambda kind=kind: sample(bench, *kind) for name, kind in kinds.items()},
    })
    lines = [Line("an empty server", "MiB", samples["none"]["mib"], at_most=12)]
    for name, (_, count) in kinds.items():
        lines.append(Line(f"resident for each {name}, of {count:,}", "KiB",
                          samples[name]["each"], at_most=4))
    for name in samples:
        lines.append(Line(f"times run in {idle_seconds(bench)} s of idling, with: {name}", "times",
                          samples[name]["runs"], at_most=0))
    return lines


def idle_seconds(bench):
    return bench.pick(5, 1)


def sample(bench, fill, count):
    with bench.sandbox() as sandbox:
        server = bench.serve(sandbox)
        before = server.resident_bytes()
        fill(sandbox, server, count)
        server.client().settle()
        # Nothing tells when the threads that Swift keeps for a while have ended: 5 s, when idle.
        time.sleep(bench.pick(6, 0.5))
        runs = server.times_run()
        time.sleep(idle_seconds(bench))
        runs = server.times_run() - runs
        total = server.resident_bytes()
        return {"mib": total / (1 << 20), "each": (total - before) / 1024 / count, "runs": runs}


def register(_, server, count):
    for first in range(0, count, STREAMS_MAX):
        client = server.client()
        for number in range(first, min(first + STREAMS_MAX, count)):
            client.register(f"registered{first}/{number}")
        client.settle()


def run_to_end(sandbox, server, count):
    sandbox.start(sandbox.tool("caller"), server.tcp, server.token, "exec", count, 64, "exited",
                  RUN_PROGRAM).result()


def start_sleeping(_, server, count):
    client = server.client()
    for number in range(count):
        client.start(f"running/{number}", [SLEEP_PROGRAM, "1000"])


def attach(sandbox, server, count):
    server.client().register(KEY)
    streams = min(count, STREAMS_MAX)
    view(sandbox, server, server.unix, count // streams, keys=[KEY] * streams)
