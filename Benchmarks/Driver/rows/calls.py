"""ExecWait of an exec that has exited, by 1 and by 64 callers on one connection."""

from results import Line
from streams import KEY


def run(bench):
    one, many = bench.pick(20_000, 500), bench.pick(200_000, 2_000)
    samples = bench.interleave({
        "server": lambda: through_server(bench, one, 1),
        "limit": lambda: echoing(bench, one, 1),
        "server 64": lambda: through_server(bench, many, 64),
        "limit 64": lambda: echoing(bench, many, 64),
    })
    ours, ours_64 = samples["server"], samples["server 64"]
    limit, limit_64 = samples["limit"], samples["limit 64"]
    return [
        Line("1 caller", "/s", ours["rate"], "pingpong", limit["rate"], at_least=0.8),
        Line("64 callers", "/s", ours_64["rate"], at_least=150_000),
        Line("64 callers", "/s", ours_64["rate"], "pingpong", limit_64["rate"]),
        Line("1 caller: processor time of the server for each", "µs", ours["cpu"], "pingpong",
             limit["cpu"]),
        Line("64 callers: processor time of the server for each", "µs", ours_64["cpu"],
             "pingpong", limit_64["cpu"]),
    ]


def through_server(bench, count, at_once):
    with bench.sandbox() as sandbox:
        server = bench.serve(sandbox)
        client = server.client()
        client.finish(client.register(KEY))
        cpu = server.cpu_seconds()
        result = call(sandbox, server.tcp, server.token, "wait", count, at_once)
        return figures(result, server.cpu_seconds() - cpu)


def echoing(bench, count, at_once):
    with bench.sandbox() as sandbox:
        process = sandbox.start(sandbox.tool("pingpong"))
        result = call(sandbox, process.expect("listening on "), "-", "echo", count, at_once)
        return figures(result, process.result()["cpu_us"] / 1e6)


def call(sandbox, address, token, kind, count, at_once):
    return sandbox.start(
        sandbox.tool("caller"), address, token, kind, count, at_once, KEY).result()


def figures(result, cpu):
    return {"rate": result["count"] / result["seconds"], "cpu": cpu * 1e6 / result["count"]}
