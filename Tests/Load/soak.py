#!/usr/bin/python3
"""A crowd of clients on one server for a while: well-behaved, slow, dying and hostile ones. Every byte
and every exit is checked, and at the end that the server is back to where it began.

    Scripts/soak MINUTES [PROGRAM]

$EXECSTREAM_SOAK_CLIENTS says how many (200), a fifth of them hostile; $EXECSTREAM_SEED repeats what
was drawn. Fails where a byte, an exit or something left over is wrong.
"""

import os
import random
import sys
import tempfile
import threading
import time

import ttrpc_client
from crowd import honest, hostile
from crowd.soak import Client, Soak
from serving import Serving

CLIENTS = int(os.environ.get("EXECSTREAM_SOAK_CLIENTS", 200))
SEED = int(os.environ.get("EXECSTREAM_SEED", random.SystemRandom().randrange(1 << 32)))
# What the server may hold more than after its first clients: its heap stays as it was cut up when there
# were most execs, 3 to 4 KiB for each of them.
GROWTH_BYTES_MAX = 96 << 20
# The C library is told to give large blocks back when they are freed. Left to itself it keeps them once
# there have been some, so what a crowd took at its height would hide what is really lost.
ENVIRONMENT = {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=131072"}
# So that execs are also forgotten by the sweep, but under nobody who is only slow.
OPTIONS = ("--retention", "60s", "--sweep", "1s")
JOIN_SECONDS_MAX = 150


def warm_up(soak):
    """Each act once or twice, side by side: what the server makes once, it has after that."""
    everything = dict.fromkeys(honest.ACTS + hostile.ACTS)
    clients = []
    for number, act in enumerate([*everything, *everything]):
        client = Client(soak, f"warm{number}", (act,), random.Random(f"{SEED}/warm{number}"))
        clients.append(threading.Thread(target=client.turn, args=(act, 0)))
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    soak.serving.remove_all()


def run(soak, seconds):
    """The crowd, for so long; answers the most that the server held, by name."""
    crowd = []
    for number in range(CLIENTS):
        acts = hostile.ACTS if number % 5 == 4 else honest.ACTS
        crowd.append(Client(soak, number, acts, random.Random(f"{SEED}/{number}")))
    for client in crowd:
        client.start()
    most = {}
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and soak.serving.process.poll() is None:
        held = {**soak.serving.holdings(), "MiB": soak.serving.resident_bytes() >> 20}
        most = {name: max(number, most.get(name, 0)) for name, number in held.items()}
        if soak.counts["wrong"] > 20:
            break
        soak.over.wait(1)
    soak.over.set()
    for client in crowd:
        client.join(JOIN_SECONDS_MAX)
        if client.is_alive():
            soak.wrong(f"{client.name} waits for something that does not come")
            break
    return most


def check_left(soak, before, resident):
    """Nothing is left but what was there before the crowd."""
    if soak.serving.process.poll() is not None:
        soak.wrong(f"the server ended with {soak.serving.process.returncode}")
        return
    soak.serving.remove_all()
    for info in soak.serving.execs():
        soak.wrong(f"left over: {info.container_id}/{info.exec_id}")
    # Swift's pool starts a thread for each processor when it first needs it.
    threads = before.pop("threads")
    for name, (now, was) in soak.serving.settled(before).items():
        soak.wrong(f"left over: {now} {name}, and there were {was} before")
    now = soak.serving.holdings()["threads"]
    if now > threads + os.cpu_count():
        soak.wrong(f"left over: {now} threads, and there were {threads} before")
    growth = soak.serving.resident_bytes() - resident
    if growth > GROWTH_BYTES_MAX:
        soak.wrong(f"the server's memory grew by {growth >> 20} MiB")
    print(f"after it: memory {growth / (1 << 20):+.1f} MiB, {now} threads (before: {threads}), "
          + ", ".join(f"{number} {name}" for name, number in before.items()))


def main():
    seconds = float(sys.argv[1]) * 60
    # So many clients on few processors: what is only slow is not wrong.
    ttrpc_client.TIMEOUT = 120
    with tempfile.TemporaryDirectory(prefix="execstream-soak-") as directory:
        serving = Serving(directory, tcp=True, options=OPTIONS, environment=ENVIRONMENT)
        serving.start()
        soak = Soak(serving, SEED)
        print(f"seed {SEED}, {CLIENTS} clients, {seconds:.0f} s", flush=True)
        try:
            fresh = serving.holdings()
            del fresh["threads"]
            warm_up(soak)
            serving.settled(fresh)
            before, resident = serving.holdings(), serving.resident_bytes()
            most = run(soak, seconds)
            check_left(soak, before, resident)
            code = serving.stop()
            if code != 0:
                soak.wrong(f"the server ended with {code}")
        finally:
            serving.kill()
        print("at the most:", ", ".join(f"{number} {name}" for name, number in most.items()))
        print("counted:", ", ".join(f"{n} {name}" for name, n in sorted(soak.counts.items())))
        for wrong in soak.wrongs:
            print("WRONG:", wrong)
        print("soak:", "FAILED" if soak.wrongs else "all bytes and exits right, nothing left over")
        sys.stdout.flush()
        # Threads that still wait for something are no reason to stay.
        os._exit(1 if soak.wrongs else 0)


main()
