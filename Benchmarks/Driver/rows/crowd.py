"""500 execs that write 20 lines a second each, with 3 viewers each."""

from results import Line
from streams import percentile, read_delays, source, view

INTERVAL_US = 50_000
CONNECTIONS = 3


def run(bench):
    execs = bench.pick(500, 20)
    samples = bench.interleave({"server": lambda: sample(bench, execs)})["server"]
    name = f"{execs} execs, {CONNECTIONS} viewers each"
    return [
        Line(f"{name}: p50", "µs", samples["p50"]),
        Line(f"{name}: p99", "µs", samples["p99"], at_most=10_000),
        Line(f"{name}: processor time", "cores", samples["cores"], at_most=0.5),
    ]


def sample(bench, execs):
    with bench.sandbox() as sandbox:
        server = bench.serve(sandbox)
        gate, times = sandbox.make_gate(), sandbox.directory / "times"
        command = source(sandbox, "gate", gate, "lines", bench.pick(200, 20), INTERVAL_US)
        keys = [f"crowd/{number}" for number in range(execs)]
        client = server.client()
        for key in keys:
            client.start(key, command)
        watching = view(
            sandbox, server, server.tcp, CONNECTIONS, keys=keys, options=("-t", times))
        cpu = server.cpu_seconds()
        began = sandbox.open_gate(gate)
        seconds = watching.result()["last_ns"] / 1e9 - began
        taken = read_delays(times)
        return {"p50": percentile(taken, 0.5), "p99": percentile(taken, 0.99),
                "cores": (server.cpu_seconds() - cpu) / seconds}
