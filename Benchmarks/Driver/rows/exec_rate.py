"""From Start to Exit of /bin/true, one at a time and 64 at once, on one connection."""

import shutil

from peers import ssh
from results import Line

PROGRAM = shutil.which("true")


def run(bench):
    one, many = bench.pick(1000, 50), bench.pick(4992, 128)
    samplers = {
        "server": lambda: through_server(bench, one, 1),
        "limit": lambda: spawning(bench, one, 1),
        "server 64": lambda: through_server(bench, many, 64),
        "limit 64": lambda: spawning(bench, many, 64),
    }
    if ssh.is_there():
        samplers["ssh"] = lambda: ssh.exec_rate(bench, bench.pick(50, 5))
    samples = bench.interleave(samplers)
    ours, ours_64 = samples["server"], samples["server 64"]
    lines = [
        Line("one at a time", "/s", ours["rate"], "spawn", samples["limit"]["rate"],
             at_least=0.85),
        Line("64 at once", "/s", ours_64["rate"], "spawn, one at a time",
             samples["limit"]["rate"], at_least=1.3),
        Line("64 at once", "/s", ours_64["rate"], "spawn, 64 at once",
             samples["limit 64"]["rate"]),
        Line("one at a time: processor time of the server for each", "µs", ours["cpu"], "spawn",
             samples["limit"]["cpu"]),
        Line("64 at once: processor time of the server for each", "µs", ours_64["cpu"],
             "spawn, 64 at once", samples["limit 64"]["cpu"]),
    ]
    if "ssh" in samples:
        lines.append(Line("one at a time", "/s", ours["rate"], "ssh by a control master",
                          samples["ssh"], at_least=50))
    return lines


def through_server(bench, count, at_once):
    with bench.sandbox() as sandbox:
        server = bench.serve(sandbox)
        cpu = server.cpu_seconds()
        result = sandbox.start(sandbox.tool("caller"), server.tcp, server.token, "exec", count,
                               at_once, "bench", PROGRAM).result()
        return figures(result, server.cpu_seconds() - cpu)


def spawning(bench, count, at_once):
    with bench.sandbox() as sandbox:
        result = sandbox.start(sandbox.tool("spawn"), count, at_once, PROGRAM).result()
        return figures(result, result["cpu_us"] / 1e6)


def figures(result, cpu):
    return {"rate": result["count"] / result["seconds"], "cpu": cpu * 1e6 / result["count"]}
