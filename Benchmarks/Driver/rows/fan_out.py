"""One exec at 10 MiB/s to 1, 10, 100 and 1,000 viewers: what one more viewer costs."""

import functools

from results import Line
from streams import GIB, KEY, check_bytes, source, view

BYTES_PER_MS = (10 << 20) // 1000
# Milliseconds of the stream, by the number of viewers: 1,000 get it more slowly than it is written.
DURATIONS = {1: 10_000, 10: 10_000, 100: 5_000, 1000: 1_000}


def run(bench):
    samples = bench.interleave({
        viewers: functools.partial(sample, bench, viewers, bench.pick(duration, 100))
        for viewers, duration in {0: 10_000, **DURATIONS}.items()
    })
    # What the exec costs with nobody there is not the viewers'.
    alone = samples[0]
    costs = {viewers: [(taken - idle) / viewers for taken, idle in zip(samples[viewers], alone)]
             for viewers in DURATIONS}
    lines = [Line("processor time for each GiB written, no viewer", "s", alone)]
    for viewers, taken in costs.items():
        lines.append(Line(
            f"processor time for each GiB delivered, {viewers} viewer{'s' * (viewers > 1)}", "s",
            taken, "1 viewer" * (viewers > 1), costs[1] if viewers > 1 else [],
            at_most=1.2 if viewers > 1 else None,
        ))
    return lines


def sample(bench, viewers, duration):
    """The server's processor time for each GiB that the exec writes."""
    with bench.sandbox() as sandbox:
        server = bench.serve(sandbox)
        count = duration * BYTES_PER_MS
        gate = sandbox.make_gate()
        client = server.client()
        client.start(KEY, source(sandbox, "gate", gate, "paced", count, BYTES_PER_MS))
        watching = view(sandbox, server, server.tcp, viewers) if viewers else None
        cpu = server.cpu_seconds()
        sandbox.open_gate(gate)
        if watching:
            check_bytes(watching.result(), viewers * count)
        else:
            client.wait(KEY)
        return (server.cpu_seconds() - cpu) * GIB / count
