"""socat: a command, or a file, to one TCP client."""

import shutil
import socket
import subprocess

from streams import GIB, check_bytes, source


def is_there():
    return shutil.which("socat") is not None


def throughput(bench, count):
    """GiB/s of a command's output."""
    with bench.sandbox() as sandbox:
        gate = sandbox.make_gate()
        command = " ".join(str(word) for word in source(sandbox, "gate", gate, "bulk", count))
        watching = serve(sandbox, f"EXEC:{command}")
        began = sandbox.open_gate(gate)
        return rate(watching, began, count)


def file_throughput(bench, count):
    """GiB/s of a log that is there."""
    with bench.sandbox() as sandbox:
        log = sandbox.directory / "log"
        with open(log, "w") as file:
            sandbox.start(*source(sandbox, "bulk", count), stdout=file).result()
        cat = sandbox.start("cat", log)
        watching = serve(sandbox, "-", stdin=cat.popen.stdout)
        return rate(watching, None, count)


def serve(sandbox, what, stdin=subprocess.DEVNULL):
    """Serves it to one client; returns that client."""
    port = free_port()
    # With blocks as large as the server's: its own default is 8 KiB.
    process = sandbox.start(
        "socat", "-d", "-d", "-u", "-b", "65536", what,
        f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr", stdin=stdin, stderr=subprocess.PIPE)
    for line in process.popen.stderr:
        if "listening on" in line:
            break
    watching = sandbox.start(sandbox.tool("viewer"), "raw", f"tcp:127.0.0.1:{port}")
    watching.expect("ready")
    return watching


def rate(watching, began, count):
    result = watching.result()
    check_bytes(result, count)
    return count / GIB / (result["last_ns"] / 1e9 - (began or result["first_ns"] / 1e9))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
