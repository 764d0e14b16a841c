"""A server process that may be killed and started again on the same state, and what the system knows
of it: descriptors, threads, memory, children, groups, files.
"""

import os
import subprocess
import tempfile
import threading
import time

import exec_pb2 as pb
from ttrpc_client import Connection, Failed

PROGRAM = os.environ.get("EXECSTREAM", ".build/debug/execstream")
END_SECONDS_MAX = 30


class Serving:
    """`execstream serve` in a directory of the caller's; its Unix socket, and TCP where asked for."""

    def __init__(
        self, directory, *, tcp=False, program=PROGRAM, environment=None, options=(), prefix=()
    ):
        self.state = os.path.join(directory, "state")
        self.unix = f"unix:{directory}/socket"
        self.tcp = None
        self.said = []  # the newest run's stderr, by lines
        self._ready = threading.Event()
        self._news = threading.Condition()
        self._environment = {**os.environ, **(environment or {})}
        self._words = [*prefix, program, "serve", "--listen", self.unix, "--state", self.state, *options]
        if tcp:
            self._words += ["--listen", "tcp:127.0.0.1:0"]
        self.process = None

    def spawn(self):
        """Starts it, and does not wait until it is ready."""
        self.said = []
        self._ready.clear()
        self.process = subprocess.Popen(
            self._words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env=self._environment,
        )
        self._reader = threading.Thread(target=self._read, args=(self.process.stderr,))
        self._reader.start()

    def start(self):
        """Starts it; it is ready after this."""
        self.spawn()
        if not self.is_ready():
            self.kill()
            raise AssertionError(f"the server is not ready; it said: {self.said}")

    def is_ready(self):
        """Waits until it is, or has said that it won't be."""
        return self._ready.wait(END_SECONDS_MAX) and "ready" in self.said

    def wait_for(self, text):
        """Waits until it has said that."""
        with self._news:
            heard = self._news.wait_for(
                lambda: any(text in line for line in self.said), END_SECONDS_MAX)
        assert heard, f"it does not say '{text}' but: {self.said}"

    def _read(self, stderr):
        for line in stderr:
            line = line.rstrip("\n")
            if line.startswith("listening on tcp:"):
                self.tcp = line.removeprefix("listening on ")
            with self._news:
                self.said.append(line)
                self._news.notify_all()
            if line == "ready":
                self._ready.set()
        self._ready.set()

    @property
    def token(self):
        with open(os.path.join(self.state, "token"), encoding="ascii") as file:
            return file.read().strip()

    def connect(self, address=None):
        """A connection that may call: over the Unix socket, where no other address is given."""
        connection = Connection(address or self.unix)
        if address and address.startswith("tcp:"):
            connection.call("Hello", pb.HelloRequest(client="interop/1", token=self.token))
        return connection

    def kill(self):
        """SIGKILL, where it still runs; it is gone after this."""
        self.process.kill()
        return self._end()

    def stop(self):
        """SIGTERM; answers the code it ends with."""
        self.process.terminate()
        return self._end()

    def ended(self):
        """Waits for the end of a server that was told to end, and returns its exit code."""
        return self._end()

    def _end(self):
        try:
            code = self.process.wait(END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self._reader.join()
        self.process.stderr.close()
        return code

    # What the system knows of it

    def holdings(self):
        """What must be as before once all is over, by name."""
        pid = self.process.pid
        return {
            "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
            "threads": len(os.listdir(f"/proc/{pid}/task")),
            "children": len(children_of(pid)),
            "groups": len(groups_of(pid)),
            "logs": len(self.logs()),
        }

    def resident_bytes(self):
        return self._memory("VmRSS")

    def data_bytes(self):
        """What counts against RLIMIT_DATA."""
        return self._memory("VmData")

    def processor_seconds(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _memory(self, name):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith(name)) << 10

    def logs(self):
        """(container, exec) of each log on disk; those that are being deleted, too."""
        found = []
        execs = os.path.join(self.state, "execs")
        for container in list_directory(execs):
            if container.startswith("."):
                found.append((container, ""))
            for name in list_directory(os.path.join(execs, container)):
                found.append((container, name))
        return found

    def settled(self, wanted, seconds=20):
        """Waits until the holdings are `wanted`, and answers those that are not: name: (is, was)."""
        deadline = time.monotonic() + seconds
        while True:
            now = self.holdings()
            differ = {name: (now[name], was) for name, was in wanted.items() if now[name] != was}
            if not differ or time.monotonic() > deadline:
                return differ
            time.sleep(0.05)

    def execs(self):
        with self.connect() as connection:
            return list(connection.call("ExecList", pb.ExecListRequest()).execs)

    def remove_all(self):
        """Kills, waits for and forgets every exec."""
        with self.connect() as connection:
            for info in self.execs():
                names = {"container_id": info.container_id, "exec_id": info.exec_id}
                try:
                    connection.call("ExecStop", pb.ExecStopRequest(**names, grace_ms=1))
                except Failed:
                    pass  # it has exited, or somebody else publishes it
                try:
                    connection.call("ExecRemove", pb.ExecRemoveRequest(**names))
                except Failed:
                    pass


class TemporaryServing(Serving):
    """A server in a temporary directory of its own. It is ready once the object is made."""

    def __init__(self, **options):
        self._directory = tempfile.TemporaryDirectory(prefix="execstream-")
        super().__init__(self._directory.name, **options)
        try:
            self.start()
        except BaseException:
            self._directory.cleanup()
            raise

    def _end(self):
        code = super()._end()
        self._directory.cleanup()
        return code


def list_directory(path):
    try:
        return os.listdir(path)
    except (FileNotFoundError, NotADirectoryError):
        return []


def processes():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def children_of(parent):
    """The pids of a process's children, ended ones included."""
    found = []
    for pid in processes():
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                if int(file.read().rpartition(")")[2].split()[1]) == parent:
                    found.append(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def processes_marked(mark):
    """The pids of those who have `mark` in their environment."""
    found = []
    for pid in processes():
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if mark.encode() in file.read():
                    found.append(pid)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def groups_of(pid):
    """The directories below a server's base groups, in every hierarchy."""
    found = []
    for root, directories, _ in os.walk("/sys/fs/cgroup"):
        base = next((name for name in root.split("/") if name.startswith(f"execstream.{pid}.")),
                    None)
        if base:
            found += [os.path.join(root, name) for name in directories]
        elif root.count("/") > 8:
            directories.clear()
    return found
