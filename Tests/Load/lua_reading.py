#!/usr/bin/python3
"""Measures what it costs to read a process's output in Lua: against `execstream run`, which does the same
in Swift by ExecClient and writes it to /dev/null. Both read from one server, in turn.

    swift build -c release
    PYTHONPATH=.build/interop:Tests/Interop Tests/Load/lua_reading.py .build/release/execstream

Prints the medians of wall time and of processor time (the reader's own, and with the server's); fails
where Lua's are over twice those of Swift.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

from serving import Serving

RUNS = int(os.environ.get("RUNS", 5))
BYTES = int(os.environ.get("EXEC_BYTES", 1 << 30))
COMMAND = f"exec head -c {BYTES} /dev/zero"
SCRIPT = f"""
local process = require("exec").get("process:native"):exec("{COMMAND}", {{ stdin = false }})
process:start()
local out, total = process:stdout_stream(), 0
for piece in function() return out:read() end do total = total + #piece end
assert(total == {BYTES} and process:wait() == 0)
"""


def measure(server, arguments):
    """Wall time, the reader's processor time, and the processor time of both."""
    before, begin = server.processor_seconds(), time.monotonic()
    reader = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(reader.pid, 0)
    wall = time.monotonic() - begin
    reader.returncode = os.waitstatus_to_exitcode(status)
    assert reader.returncode == 0, arguments
    own = usage.ru_utime + usage.ru_stime
    return wall, own, own + server.processor_seconds() - before


def main(program):
    with tempfile.TemporaryDirectory() as directory:
        script = os.path.join(directory, "read.lua")
        with open(script, "w") as file:
            file.write(SCRIPT)
        server = Serving(directory, program=program)
        server.start()
        try:
            address = ["--address", server.unix]
            readers = {
                "swift": [program, "run", *address, "-e", "swift", "sh", "-c", COMMAND],
                "lua": [program, "lua", *address, script],
            }
            runs = {name: [] for name in readers}
            for run in range(RUNS + 1):
                for name, arguments in readers.items():
                    figures = measure(server, arguments)
                    # The first warms up.
                    if run > 0:
                        runs[name].append(figures)
                        print(f"{name}: " + ", ".join(f"{figure:.2f} s" for figure in figures))
                # Lua's are forgotten by themselves.
                subprocess.run([program, "rm", *address, "local/swift"], check=True)
        finally:
            server.stop()
    medians = {name: [statistics.median(column) for column in zip(*runs[name])] for name in runs}
    is_over = False
    for index, what in enumerate(("wall", "reader's processor", "both processors'")):
        ratio = medians["lua"][index] / medians["swift"][index]
        is_over = is_over or ratio > 2
        print(f"{what} time: swift {medians['swift'][index]:.2f} s, lua {medians['lua'][index]:.2f} s,"
              f" {ratio:.2f} times")
    return 1 if is_over else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
