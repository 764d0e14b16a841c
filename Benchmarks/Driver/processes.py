"""What a sample starts, and what is gone after it: processes, a directory, gates."""

import errno
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time

SECONDS_MAX = 180
# From SIGTERM to SIGKILL: a server tells its exits first.
GRACE_SECONDS = 20
GATE_SECONDS_MAX = 60


class Process:
    """A process of a sample. Its stdout is read by lines; the last one is its result, as JSON."""

    def __init__(self, words, **options):
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stdin", subprocess.DEVNULL)
        words = [str(word) for word in words]
        self.name = os.path.basename(words[0])
        self.popen = subprocess.Popen(words, text=True, **options)
        self.pid = self.popen.pid

    def expect(self, beginning, stream=None):
        """Reads lines up to one that begins so; returns the rest of that one."""
        for line in stream or self.popen.stdout:
            if line.startswith(beginning):
                return line[len(beginning):].strip()
        raise RuntimeError(f"{self.name} ended without saying '{beginning.strip()}'")

    def result(self):
        """Waits for the end, which must be a good one."""
        text = self.popen.stdout.read() if self.popen.stdout else ""
        if self.popen.wait() != 0:
            raise RuntimeError(f"{self.name} ended with {self.popen.returncode}")
        return json.loads(text.strip().splitlines()[-1]) if text.strip() else None

    def cpu_seconds(self):
        """The processor time, user and system, of this process and of no child.

        It is what utime and stime of /proc/PID/stat add up to, in ns where those have 10 ms: the
        clock of another process is made from its id, as clock_getcpuclockid(3) does.
        """
        return time.clock_gettime(~self.pid << 3 | 2)

    def resident_bytes(self):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) << 10 for line in status.splitlines()
                    if line.startswith("VmRSS"))

    def times_run(self):
        """How often its threads were given a processor; stays where it is while it is idle."""
        return sum(int(path.read_text().split()[2])
                   for path in pathlib.Path(f"/proc/{self.pid}/task").glob("*/schedstat"))

    def stop(self):
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                self.popen.kill()
        for stream in (self.popen.stdout, self.popen.stderr):
            if stream:
                stream.close()
        self.popen.wait()


class Sandbox:
    """One sample's directory and processes; all are gone when it is left, or the time is over."""

    def __init__(self, parent, tools, seconds_max=SECONDS_MAX):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="execstream-bench-", dir=parent))
        self._tools = tools
        self._processes = []
        self._gates = []
        self._watchdog = threading.Timer(seconds_max, self._give_up)
        self._watchdog.daemon = True

    def __enter__(self):
        self._watchdog.start()
        return self

    def __exit__(self, *_):
        for process in reversed(self._processes):
            process.stop()
        self._watchdog.cancel()
        for gate in self._gates:
            os.close(gate)
        shutil.rmtree(self.directory)

    def _give_up(self):
        # Whoever waits for one of them sees its end, and fails.
        for process in self._processes:
            if process.popen.poll() is None:
                process.popen.kill()

    def tool(self, name):
        """The path of one of the C programs."""
        return str(self._tools / name)

    def start(self, *words, **options):
        return self.add(Process(words, **options))

    def add(self, process):
        self._processes.append(process)
        return process

    def make_gate(self, name="gate"):
        """A FIFO for `source`, which waits there."""
        path = self.directory / name
        os.mkfifo(path, 0o600)
        return str(path)

    def open_gate(self, path):
        """Waits for somebody to be there, and lets through all who come; returns when, in s."""
        until = time.monotonic() + GATE_SECONDS_MAX
        while True:
            try:
                # Not a blocking one, which would wait for ever for who has failed.
                self._gates.append(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
                return time.monotonic()
            except OSError as error:
                if error.errno != errno.ENXIO or time.monotonic() > until:
                    raise
            time.sleep(0.001)
