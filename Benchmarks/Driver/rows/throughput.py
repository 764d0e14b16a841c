"""One exec that writes as fast as it can, to 1, 10 and 100 viewers, logged to file."""

import functools

from peers import grpc_stream, socat, ssh
from results import Line
from streams import GIB, KEY, check_bytes, relay, source, view

# By the number of viewers. With 100, 2 GiB would be 200 GiB to deliver.
GIBS = {1: 2, 10: 1, 100: 0.25}


def run(bench):
    lines = []
    for viewers, gibs in GIBS.items():
        count = bench.pick(int(gibs * GIB), (32 << 20) // viewers)
        lines += compare_with_limit(bench, viewers, count)
    return lines + compare_with_peers(bench, bench.pick(2 * GIB, 32 << 20))


def compare_with_limit(bench, viewers, count):
    samples = bench.interleave({
        "server": functools.partial(through_server, bench, viewers, count, "tcp"),
        "relay": functools.partial(through_relay, bench, viewers, count),
    })
    ours, limit = samples["server"], samples["relay"]
    to = f"to {viewers} viewer{'s' * (viewers > 1)}"
    return [
        Line(f"processor time for each GiB delivered, {to}", "s", ours["cpu"], "relay",
             limit["cpu"], at_most=1.15),
        Line(f"delivered {to}", "GiB/s", ours["rate"], "relay", limit["rate"], at_least=0.9),
    ]


def compare_with_peers(bench, count):
    samplers = {
        "TCP": lambda: through_server(bench, 1, count, "tcp")["rate"],
        "Unix": lambda: through_server(bench, 1, count, "unix")["rate"],
    }
    for name, peer in (("OpenSSH", ssh), ("gRPC (grpcio)", grpc_stream), ("socat", socat)):
        if peer.is_there():
            samplers[name] = functools.partial(peer.throughput, bench, count)
    samples = bench.interleave(samplers)
    ours = samples.pop("TCP")
    # Only what does no less than a server has a goal: socat has one viewer and no log.
    goals = {"OpenSSH": 3, "gRPC (grpcio)": 3}
    return [Line("delivered to 1 viewer", "GiB/s", ours, "execstream on a Unix socket",
                 samples.pop("Unix"))] + [
        Line("delivered to 1 viewer", "GiB/s", ours, name, rates, at_least=goals.get(name))
        for name, rates in samples.items()
    ]


def through_server(bench, viewers, count, kind):
    with bench.sandbox() as sandbox:
        server = bench.serve(sandbox)
        gate = sandbox.make_gate()
        server.client().start(KEY, source(sandbox, "gate", gate, "bulk", count))
        watching = view(sandbox, server, getattr(server, kind), viewers)
        cpu = server.cpu_seconds()
        began = sandbox.open_gate(gate)
        result = watching.result()
        return figures(result, began, server.cpu_seconds() - cpu, viewers * count)


def through_relay(bench, viewers, count):
    with bench.sandbox() as sandbox:
        gate = sandbox.make_gate()
        process, watching = relay(
            sandbox, viewers, source(sandbox, "gate", gate, "bulk", count))
        began = sandbox.open_gate(gate)
        result = watching.result()
        return figures(result, began, process.result()["cpu_us"] / 1e6, viewers * count)


def figures(result, began, cpu, delivered):
    check_bytes(result, delivered)
    gibs = delivered / GIB
    return {"cpu": cpu / gibs, "rate": gibs / (result["last_ns"] / 1e9 - began)}
