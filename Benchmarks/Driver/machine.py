"""What is to be known of the machine beside the figures."""

import datetime
import os
import pathlib
import platform
import tempfile

LOAD_MAX = 0.5
ROOM_BYTES = 10 << 30


def facts(logs, rounds):
    """Pairs for the head of the results. To be asked before anything runs."""
    memory = _first_value("/proc/meminfo", "MemTotal").split()[0]
    load = os.getloadavg()[0]
    busy = "" if load < LOAD_MAX else ": **busy, so don't rely on these figures**"
    return [
        ("date", datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")),
        ("processor", f"{_first_value('/proc/cpuinfo', 'model name')}, {os.cpu_count()} CPUs"),
        ("memory", f"{int(memory) / (1 << 20):.0f} GiB"),
        ("kernel", platform.release()),
        ("logs in", logs),
        ("load before", f"{load:.2f}{busy}"),
        ("rounds", rounds),
    ]


def log_directory():
    """Where logs go: memory if there is room, so that no disk is in the figures."""
    shared = "/dev/shm"
    if os.path.isdir(shared):
        room = os.statvfs(shared)
        available = int(_first_value("/proc/meminfo", "MemAvailable").split()[0]) << 10
        if min(room.f_bavail * room.f_frsize, available) >= ROOM_BYTES:
            return shared
    return tempfile.gettempdir()


def _first_value(path, name):
    for line in pathlib.Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown 0"
