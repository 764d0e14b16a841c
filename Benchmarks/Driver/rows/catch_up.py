"""A viewer that comes when 4 GiB are logged already, beside a live one."""

from peers import socat
from results import Line
from streams import GIB, KEY, percentile, read_delays, source, view


def run(bench):
    count = bench.pick(4 * GIB, 64 << 20)
    samplers = {
        "server": lambda: sample(bench, count, True),
        "alone": lambda: sample(bench, count, False),
    }
    if socat.is_there():
        samplers["socat"] = lambda: socat.file_throughput(bench, count)
    samples = bench.interleave(samplers)
    ours, alone = samples["server"], samples["alone"]
    lines = []
    if "socat" in samples:
        lines.append(Line("reading the log", "GiB/s", ours["rate"], "cat log into socat",
                          samples["socat"], at_least=0.8))
    return lines + [
        Line("p50 of the live viewer meanwhile", "µs", ours["p50"], "without the late one",
             alone["p50"]),
        # No effect: no more than what two runs of the same differ by.
        Line("p99 of the live viewer meanwhile", "µs", ours["p99"], "without the late one",
             alone["p99"], at_most=1.2),
    ]


def sample(bench, count, has_late_viewer):
    with bench.sandbox() as sandbox:
        server = bench.serve(sandbox)
        begin, logged, live = (sandbox.make_gate(name) for name in ("begin", "logged", "live"))
        times = sandbox.directory / "times"
        server.client().start(KEY, source(
            sandbox, "gate", begin, "bulk", count, "gate", logged, "gate", live,
            "lines", bench.pick(5000, 200), 1000))
        sandbox.open_gate(begin)
        # The exec is there once it has written all.
        sandbox.open_gate(logged)
        watching = view(sandbox, server, server.tcp, 1, options=("-l", "-t", times))
        began = sandbox.open_gate(live)
        if not has_late_viewer:
            watching.result()
            return delays(times, {})
        late = view(sandbox, server, server.tcp, 1, options=("-m", count)).result()
        watching.result()
        seconds = (late["mark_ns"] - late["first_ns"]) / 1e9
        window = {"after_ns": max(late["first_ns"], began * 1e9), "before_ns": late["mark_ns"]}
        return {"rate": count / GIB / seconds, **delays(times, window)}


def delays(times, window):
    taken = read_delays(times, **window)
    return {"p50": percentile(taken, 0.5), "p99": percentile(taken, 0.99)}
