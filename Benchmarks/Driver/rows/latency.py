"""A line of 64 bytes each ms, from the exec's write to the viewer's hands: idle, and beside a stream
on another exec.
"""

import functools

from results import Line
from streams import GIB, KEY, percentile, read_delays, relay, source, view

BESIDE = "bench/beside"
INTERVAL_US = 1000


def run(bench):
    lines = []
    for viewers in (1, 10):
        for stream in (0, bench.pick(GIB, 32 << 20)):
            lines += compare(bench, viewers, stream)
    return lines


def compare(bench, viewers, stream):
    samples = bench.interleave({
        "server": functools.partial(through_server, bench, viewers, stream),
        "relay": functools.partial(through_relay, bench, viewers, stream),
    })
    ours, limit = samples["server"], samples["relay"]
    name = f"{viewers} viewer{'s' * (viewers > 1)}{', beside a stream' if stream else ''}"
    lines = [
        Line(f"{name}: p50", "µs", ours["p50"], "relay", limit["p50"], at_most=1.5),
        Line(f"{name}: p99", "µs", ours["p99"], "relay", limit["p99"], at_most=2),
    ]
    if stream:
        lines.append(Line(f"{name}: p99", "µs", ours["p99"], at_most=5000))
    return lines


def writers(bench, sandbox, gate, stream):
    count = bench.pick(3000, 200)
    return (source(sandbox, "gate", gate, "lines", count, INTERVAL_US),
            source(sandbox, "gate", gate, "bulk", stream))


def through_server(bench, viewers, stream):
    with bench.sandbox() as sandbox:
        server = bench.serve(sandbox)
        gate, times = sandbox.make_gate(), sandbox.directory / "times"
        lines, bulk = writers(bench, sandbox, gate, stream)
        client = server.client()
        client.start(KEY, lines)
        watching = view(sandbox, server, server.tcp, viewers, options=("-t", times))
        beside = None
        if stream:
            # By another connection, as another user would: so on the other loop, where there is one.
            server.client().start(BESIDE, bulk)
            beside = view(sandbox, server, server.tcp, 1, keys=[BESIDE])
        sandbox.open_gate(gate)
        return figures(times, watching, beside)


def through_relay(bench, viewers, stream):
    with bench.sandbox() as sandbox:
        gate, times = sandbox.make_gate(), sandbox.directory / "times"
        lines, bulk = writers(bench, sandbox, gate, stream)
        _, watching = relay(sandbox, viewers, lines, options=("-t", times))
        beside = relay(sandbox, 1, bulk, log="beside")[1] if stream else None
        sandbox.open_gate(gate)
        return figures(times, watching, beside)


def figures(times, watching, beside):
    window = {}
    if beside:
        result = beside.result()
        window = {"after_ns": result["first_ns"], "before_ns": result["last_ns"]}
    watching.result()
    delays = read_delays(times, **window)
    return {"p50": percentile(delays, 0.5), "p99": percentile(delays, 0.99)}
