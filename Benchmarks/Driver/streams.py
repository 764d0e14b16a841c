"""Streams from `source` to viewers, through the server or a relay: what several rows need."""

import array

GIB = 1 << 30
KEY = "bench/stream"


def source(sandbox, *phases):
    """The command line of an exec; see Tools/source.c."""
    return [sandbox.tool("source"), *phases]


def view(sandbox, server, address, viewers, keys=(KEY,), options=()):
    """Viewers of execs of the server; returns once all of them view."""
    token = server.token if address.startswith("tcp:") else "-"
    process = sandbox.start(
        sandbox.tool("viewer"), *options, "exec", address, token, viewers, *keys)
    process.expect("ready")
    return process


def relay(sandbox, viewers, command, options=(), log="log"):
    """The limit, with its viewers; returns both processes."""
    process = sandbox.start(
        sandbox.tool("relay"), viewers, sandbox.directory / log, *command)
    address = process.expect("listening on ")
    watching = sandbox.start(sandbox.tool("viewer"), *options, "frames", address, viewers)
    watching.expect("ready")
    return process, watching


def check_bytes(result, expected):
    if result["bytes"] != expected:
        raise RuntimeError(f"{result['bytes']} bytes have arrived, not {expected}")


def read_delays(path, after_ns=0, before_ns=1 << 63):
    """The microseconds from writing to arrival, of lines that were written in that time."""
    pairs = array.array("q")
    pairs.frombytes(path.read_bytes())
    return [(arrived - written) / 1000 for written, arrived in zip(pairs[::2], pairs[1::2])
            if after_ns <= written <= before_ns]


def percentile(values, share):
    """The least value that so large a share does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
