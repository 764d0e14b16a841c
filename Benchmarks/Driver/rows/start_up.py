"""From exec of `serve` to `ready`, and the program's size."""

import os
import shutil
import subprocess
import time

from results import Line
from server import Server


def run(bench):
    programs = {"as built": bench.program}
    if bench.static_program:
        programs["with Swift's libraries inside"] = bench.static_program
    samples = bench.interleave({
        name: lambda program=program: start_up_ms(bench, program)
        for name, program in programs.items()
    })
    lines = [Line(f"until ready, {name}", "ms", taken, at_most=30)
             for name, taken in samples.items()]
    if bench.static_program and shutil.which("strip"):
        lines.append(Line("the program with Swift's libraries inside, stripped", "MiB",
                          [stripped_mib(bench)], at_most=12))
    return lines


def start_up_ms(bench, program):
    """The median of some starts, each with a new state."""
    times = []
    for _ in range(bench.pick(5, 1)):
        with bench.sandbox() as sandbox:
            began = time.monotonic()
            sandbox.add(Server(program, sandbox.directory))
            times.append((time.monotonic() - began) * 1000)
    return sorted(times)[len(times) // 2]


def stripped_mib(bench):
    with bench.sandbox() as sandbox:
        path = sandbox.directory / "stripped"
        subprocess.run(["strip", "-o", path, bench.static_program], check=True)
        return os.path.getsize(path) / (1 << 20)
