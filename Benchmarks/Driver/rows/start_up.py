"""From exec of `serve` to `ready`, what is resident then, and the program's size."""

import os
import shutil
import statistics
import subprocess
import time

from results import Line
from server import Server


def run(bench):
    programs = {"as built": bench.program}
    if bench.static_program:
        programs["with Swift's libraries inside"] = bench.static_program
    samples = bench.interleave({
        name: lambda program=program: start_up(bench, program)
        for name, program in programs.items()
    })
    lines = []
    for name, taken in samples.items():
        lines += [Line(f"until ready, {name}", "ms", taken["ms"], at_most=30),
                  Line(f"resident when ready, {name}", "MiB", taken["mib"], at_most=12)]
    if bench.static_program and shutil.which("strip"):
        lines.append(Line("the program with Swift's libraries inside, stripped", "MiB",
                          [stripped_mib(bench)], at_most=12))
    return lines


def start_up(bench, program):
    """The medians of some starts, each with a new state."""
    times, sizes = [], []
    for _ in range(bench.pick(5, 1)):
        with bench.sandbox() as sandbox:
            began = time.monotonic()
            server = sandbox.add(Server(program, sandbox.directory))
            times.append((time.monotonic() - began) * 1000)
            sizes.append(server.resident_bytes() / (1 << 20))
    return {"ms": statistics.median(times), "mib": statistics.median(sizes)}


def stripped_mib(bench):
    with bench.sandbox() as sandbox:
        path = sandbox.directory / "stripped"
        subprocess.run(["strip", "-o", path, bench.static_program], check=True)
        return os.path.getsize(path) / (1 << 20)
