#!/usr/bin/python3
"""What a chunk costs the server, in counts rather than times, so that CI can hold it to them.

    costs.py --program EXECSTREAM --tools DIRECTORY

An exec writes lines one by one to viewers that keep up. The server runs under strace, which counts its
system calls, and under callgrind, which counts its instructions and its calls of malloc. Each figure is
the difference of two runs of different length by the difference of their chunks: start and end cost
nothing that way. Prints the figures beside their bounds; exits with 1 where one is above its bound.
"""

import argparse
import collections
import dataclasses
import os
import pathlib
import re
import subprocess
import sys
import time

import machine
from processes import Sandbox
from server import Server
from streams import KEY, source, view

# What each line is given: longer than the slowest of the tools takes for one.
INTERVAL_US = {"strace": 2_000, "callgrind": 6_000}
SHORT, LONG = 200, 1_200
# From the server's end to the end of what the tool writes.
SECONDS_MAX = 20


@dataclasses.dataclass
class Cost:
    """A figure, what is expected of it, and how much more is let pass."""

    what: str
    figure: float
    expected: float
    allowance: float

    @property
    def is_met(self):
        return self.figure <= self.expected * (1 + self.allowance)

    def __str__(self):
        verdict = "" if self.is_met else "   TOO MUCH"
        return (f"{self.what:<58} {self.figure:>9,.2f}   expected {self.expected:,.2f}"
                f" + {self.allowance:.0%}{verdict}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--tools", required=True)
    options = parser.parse_args()
    program = pathlib.Path(options.program).absolute()
    tools = pathlib.Path(options.tools).absolute()

    def per_chunk(tool, viewers):
        return difference(
            count(tool, program, tools, viewers, SHORT), count(tool, program, tools, viewers, LONG))

    one, ten = per_chunk("strace", 1), per_chunk("strace", 10)
    work, work_of_ten = per_chunk("callgrind", 1), per_chunk("callgrind", 10)
    for viewers, calls in ((1, one), (10, ten)):
        listed = ", ".join(f"{name} {number:.2f}" for name, number in calls.most_common()
                           if number >= 0.01)
        print(f"system calls of a chunk with {viewers} viewer{'s' * (viewers > 1)}: {listed}")
    costs = [
        # For the chunk: epoll_wait, splice, pread, splice (finds the pipe empty), pwrite. For the loop of
        # a viewer that is not the exec's: a ring and an epoll_wait. For the viewer: sendmsg.
        Cost("system calls of a chunk with one viewer", one.total(), 8, 0.05),
        # Of ten viewers half are on the exec's own loop, which is rung then, too.
        Cost("system calls for each further viewer", (ten.total() - one.total()) / 9, 1.3, 0.1),
        # None: what is left is a table that grows now and then.
        Cost("calls of malloc for a chunk with one viewer", work["malloc"], 0.02, 0.5),
        Cost("calls of malloc for each further viewer",
             (work_of_ten["malloc"] - work["malloc"]) / 9, 0.002, 0.5),
        Cost("instructions of a chunk with one viewer", work["instructions"], 20_150, 0.07),
        Cost("instructions for each further viewer",
             (work_of_ten["instructions"] - work["instructions"]) / 9, 14_450, 0.07),
    ]
    print("\n".join(map(str, costs)))
    sys.exit(0 if all(cost.is_met for cost in costs) else 1)


def difference(short, long):
    """What one chunk costs, from two runs' counts."""
    chunks = long.pop("chunks") - short.pop("chunks")
    return collections.Counter({
        name: (long[name] - short[name]) / chunks for name in long | short
        if long[name] != short[name]
    })


def count(tool, program, tools, viewers, lines):
    """Runs the server under a tool; answers its counts, and the number of chunks."""
    with Sandbox(machine.log_directory(), tools) as sandbox:
        out = sandbox.directory / "counts"
        # Valgrind can't follow a clone that shares memory; the start is no part of what is counted.
        os.environ["EXECSTREAM_SPAWN_BY_FORK"] = "1"
        server = sandbox.add(Server(wrapped(tool, program, out, sandbox), sandbox.directory))
        gate = sandbox.make_gate()
        server.client().start(
            KEY, source(sandbox, "gate", gate, "lines", lines, INTERVAL_US[tool]))
        watching = view(sandbox, server, server.unix, viewers)
        sandbox.open_gate(gate)
        chunks = watching.result()["frames"] / viewers
        server.stop()
        counts = READERS[tool](out)
        counts["chunks"] = chunks
        return counts


def wrapped(tool, program, out, sandbox):
    """A program that is the server under the tool."""
    if tool == "callgrind":
        # It gives up at debugging information that is newer than itself.
        stripped = sandbox.directory / "execstream"
        subprocess.run(["objcopy", "--strip-debug", program, stripped], check=True)
        program = stripped
    words = {
        # Detached from what an exec runs; the tracer is a child, so that the server has its pid.
        "strace": f"strace -D -f -b execve -qq -c -U calls,name -o {out}",
        "callgrind": "valgrind -q --log-file=/dev/null --tool=callgrind"
                     f" --callgrind-out-file={out}",
    }[tool]
    script = sandbox.directory / tool
    script.write_text(f'#!/bin/sh\nexec {words} {program} "$@"\n')
    script.chmod(0o700)
    return script


def read_strace(path):
    text = wait_for(path, "total")
    rows = re.findall(r"^\s*(\d+) (\w+)$", text, re.MULTILINE)
    return collections.Counter({name: int(calls) for calls, name in rows if name != "total"})


def read_callgrind(path):
    text = wait_for(path, "totals:")
    instructions = int(re.search(r"^totals: (\d+)", text, re.MULTILINE)[1])
    # A name stands with its number once, and from then on the number alone.
    names = dict(re.findall(r"^c?fn=\((\d+)\) (.+)$", text, re.MULTILINE))
    numbers = {number for number, name in names.items() if name in ("malloc", "calloc", "realloc",
                                                                    "posix_memalign")}
    called = re.findall(r"^cfn=\((\d+)\).*\ncalls=(\d+)", text, re.MULTILINE)
    mallocs = sum(int(calls) for number, calls in called if number in numbers)
    return collections.Counter(instructions=instructions, malloc=mallocs)


READERS = {"strace": read_strace, "callgrind": read_callgrind}


def wait_for(path, end):
    """The text of a file that another process finishes soon."""
    until = time.monotonic() + SECONDS_MAX
    while True:
        text = path.read_text() if path.exists() else ""
        if re.search(rf"\b{end}", text):
            return text
        if time.monotonic() > until:
            raise RuntimeError(f"{path.name} was not written")
        time.sleep(0.01)


main()
