#!/usr/bin/python3
"""The driver of the benchmarks; Scripts/bench starts it, after building what it needs.

    bench.py --program EXECSTREAM --tools DIRECTORY [--static EXECSTREAM] [--quick] [--rounds N]
             [--logs DIRECTORY] [--output FILE] [NAME...]
"""

import argparse
import importlib
import os
import pathlib
import signal
import sys
import time

import machine
import results
from processes import Sandbox
from server import Server

# In the order of their weight.
ROWS = ["throughput", "exec_rate", "calls", "latency", "idle_cost", "start_up", "fan_out",
        "catch_up", "crowd"]


class Bench:
    """What a row is given: the programs, the number of rounds, and sandboxes to run in."""

    def __init__(self, options):
        self.program = os.path.abspath(options.program)
        self.static_program = options.static and os.path.abspath(options.static)
        self.quick = options.quick
        self.rounds = 1 if options.quick else options.rounds
        self._tools = pathlib.Path(options.tools).absolute()
        self._parent = options.logs

    def sandbox(self):
        return Sandbox(self._parent, self._tools)

    def serve(self, sandbox):
        return sandbox.add(Server(self.program, sandbox.directory))

    def pick(self, full, quick):
        """An amount: the one that is measured, or the one for `--quick`."""
        return quick if self.quick else full

    def interleave(self, samplers):
        """Runs each sampler in turn, A B A B; returns the samples of each, by its name.

        A sample is a number or a dict of numbers; of dicts the lists come by name, too.
        """
        samples = {name: [] for name in samplers}
        for _ in range(self.rounds):
            for name, sample in samplers.items():
                samples[name].append(sample())
        return {name: _columns(taken) for name, taken in samples.items()}


def _columns(samples):
    if not isinstance(samples[0], dict):
        return samples
    return {key: [sample[key] for sample in samples] for key in samples[0]}


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--tools", required=True)
    parser.add_argument("--static")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=5, choices=range(1, 100), metavar="N")
    parser.add_argument("--logs", default=machine.log_directory())
    parser.add_argument("--output")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in ROWS]
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(ROWS)}")
    return options


def main():
    options = parse_arguments()
    # So that sandboxes are cleaned up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    bench = Bench(options)
    facts = machine.facts(options.logs, bench.rounds)
    taken = {}
    for name in options.names or ROWS:
        began = time.monotonic()
        lines = importlib.import_module(f"rows.{name}").run(bench)
        taken[name.replace("_", " ")] = lines
        print(f"\n{name} ({time.monotonic() - began:.0f} s)\n\n{results.table(lines)}", flush=True)
    if bench.quick:
        print("A smoke test: none of these figures means anything.")
    elif options.output:
        pathlib.Path(options.output).write_text(results.document(taken, facts))
        print(f"written: {options.output}", file=sys.stderr)


main()
