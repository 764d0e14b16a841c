"""A gRPC service that streams a command's output, and its client, by grpcio; each is this file as a
program of its own:

    grpc_stream.py serve COMMAND [ARG]...      prints where it listens
    grpc_stream.py view ADDRESS                prints bytes and the time of the last, as JSON
"""

import importlib.util
import json
import subprocess
import sys
import time

METHOD = "/bench.Exec/Run"
CHUNK_BYTES = 64 << 10


def is_there():
    return importlib.util.find_spec("grpc") is not None


def throughput(bench, count):
    """GiB/s of a command's output."""
    from peers.socat import rate
    from streams import source

    with bench.sandbox() as sandbox:
        gate = sandbox.make_gate()
        server = sandbox.start(sys.executable, __file__, "serve",
                               *source(sandbox, "gate", gate, "bulk", count))
        address = server.expect("listening on ")
        watching = sandbox.start(sys.executable, __file__, "view", address)
        watching.expect("ready")
        return rate(watching, sandbox.open_gate(gate), count)


def serve(command):
    import concurrent.futures
    import grpc

    def run(_request, _context):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            while chunk := process.stdout.read1(CHUNK_BYTES):
                yield chunk

    # Without a serializer messages are bytes as they are.
    handler = grpc.unary_stream_rpc_method_handler(run)
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("bench.Exec", {"Run": handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    server.wait_for_termination()


def view(address):
    import grpc

    with grpc.insecure_channel(address) as channel:
        stream = channel.unary_stream(METHOD)(b"")
        print("ready", flush=True)
        total = sum(len(chunk) for chunk in stream)
        print(json.dumps({"bytes": total, "last_ns": time.monotonic_ns()}))


if __name__ == "__main__":
    if len(sys.argv) > 2 and sys.argv[1] == "serve":
        serve(sys.argv[2:])
    elif len(sys.argv) == 3 and sys.argv[1] == "view":
        view(sys.argv[2])
    else:
        sys.exit("usage: grpc_stream.py serve COMMAND [ARG]... | view ADDRESS")
