"""Files that somebody else has put where a server looks: state directories, tokens, keys, sockets, indexes.

The server runs as root here and the attacker as another user, where the test may be root.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import exec_pb2 as pb
from conversations import start
from serving import PROGRAM, Serving
from support import sized
from ttrpc_client import Failed

STRANGER = 65534
# A start that is refused says so at once; this is for a machine that is busy.
REFUSAL_SECONDS_MAX = 30
# What the index has of one chunk.
RECORD_BYTES = 24
DATA_LOSS = 15

needs_root = unittest.skipUnless(os.geteuid() == 0, "only root can be somebody else")


class FilesCase(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="execstream-files-")
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        os.chmod(self.directory, 0o755)

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def write(self, name, text, mode=0o600):
        path = self.path(name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def serving(self, **options):
        serving = Serving(self.directory, **options)
        self.addCleanup(lambda: serving.process and serving.process.poll() is None and serving.kill())
        return serving

    def refusal(self, *options, listen=None, state=None):
        """What `serve` says when it refuses to start."""
        ended = subprocess.run(
            [PROGRAM, "serve", "--listen", listen or f"unix:{self.path('socket')}",
             "--state", state or self.path("state"), *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            timeout=REFUSAL_SECONDS_MAX, check=False)
        self.assertNotEqual(ended.returncode, 0)
        self.assertGreater(ended.returncode, 0, "it was killed")
        self.assertNotIn("ready", ended.stderr)
        return ended.stderr


class StateDirectory(FilesCase):
    def test_a_directory_that_others_may_write_in_is_refused(self):
        os.mkdir(self.path("state"))
        for mode in (0o777, 0o1777, 0o770, 0o702):
            os.chmod(self.path("state"), mode)
            self.assertIn("chmod 700", self.refusal())
            self.assertEqual(os.listdir(self.path("state")), [])

    @needs_root
    def test_a_directory_of_another_user_is_refused_and_nothing_in_it_is_followed(self):
        victim = self.path("victim")
        os.makedirs(os.path.join(victim, "e"))
        self.write("victim/e/stdout", "precious")
        state = self.path("state")
        os.makedirs(os.path.join(state, "execs", "c"))
        os.symlink(victim, os.path.join(state, "execs", "linked"))
        os.symlink(os.path.join(victim, "e"), os.path.join(state, "execs", "c", "e"))
        self.write("state/token", "known-to-the-stranger\n", 0o666)
        for root, directories, files in os.walk(state):
            for name in ["", *directories, *files]:
                os.lchown(os.path.join(root, name), STRANGER, STRANGER)
        self.assertIn(f"uid {STRANGER}", self.refusal())
        # The owner gives it away, with all that was planted.
        os.chown(state, 0, 0)
        self.assertIn("state/execs can't be used", self.refusal())
        os.chown(os.path.join(state, "execs"), 0, 0)
        os.chmod(state, 0o700)
        self.assertIn("can't read the token file", self.refusal())
        os.unlink(os.path.join(state, "token"))
        serving = self.serving()
        serving.start()
        with serving.connect() as connection:
            for container in ("linked", "c"):
                names = {"container_id": container, "exec_id": "e"}
                for _ in range(2):
                    try:
                        list(start(connection, names, ["sh", "-c", "echo new"]))
                        connection.call("ExecRemove", pb.ExecRemoveRequest(**names))
                    except Failed:
                        break
        self.assertEqual(serving.stop(), 0)
        self.assertEqual(os.listdir(victim), ["e"])
        with open(os.path.join(victim, "e", "stdout"), encoding="ascii") as file:
            self.assertEqual(file.read(), "precious")

    @needs_root
    def test_a_directory_below_that_of_another_user_is_refused(self):
        os.makedirs(self.path("theirs", "state"))
        os.chown(self.path("theirs"), STRANGER, STRANGER)
        said = self.refusal(state=self.path("theirs", "state"))
        self.assertIn(f"uid {STRANGER}", said)

    def test_a_lock_that_is_a_fifo_or_a_link_is_refused_and_not_waited_for(self):
        os.mkdir(self.path("state"), 0o700)
        victim = self.write("victim", "precious")
        lock = self.path("state", "lock")
        for make in (os.mkfifo, lambda path: os.symlink(victim, path),
                     lambda path: os.link(victim, path)):
            make(lock)
            self.assertIn("state/lock can't be used", self.refusal())
            os.unlink(lock)
        with open(victim, encoding="ascii") as file:
            self.assertEqual(file.read(), "precious")


class Secrets(FilesCase):
    TOKEN = "0123456789abcdef0123456789abcdef"

    def test_a_token_file_that_is_not_private_or_holds_no_token_is_refused(self):
        # (contents, mode, part of the message)
        cases = [
            (self.TOKEN, 0o666, "chmod 600"), (self.TOKEN, 0o640, "chmod 600"),
            (self.TOKEN, 0o604, "chmod 600"), ("x", 0o600, "16 to 512"), ("", 0o600, "empty"),
            ("a b" * 20, 0o600, "more than one word"), ("x" * 513, 0o600, "16 to 512"),
            ("x" * 5000, 0o600, "EFBIG"), (self.TOKEN + "\x7f", 0o600, "printable ASCII"),
        ]
        for contents, mode, message in cases:
            token = self.write("token", contents, mode)
            self.assertIn(message, self.refusal("--token-file", token))
            client = subprocess.run(
                [PROGRAM, "ps", "--address", "tcp:127.0.0.1:9", "--token-file", token],
                stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
                timeout=REFUSAL_SECONDS_MAX)
            self.assertIn(message, client.stderr)
        with open(self.path("token"), "wb") as file:
            file.write(b"\xff" * 32)
        os.chmod(self.path("token"), 0o600)
        self.assertIn("printable ASCII", self.refusal("--token-file", self.path("token")))

    @needs_root
    def test_a_token_file_of_another_user_is_refused(self):
        token = self.write("token", self.TOKEN)
        os.chown(token, STRANGER, STRANGER)
        self.assertIn(f"uid {STRANGER}", self.refusal("--token-file", token))
        os.chown(token, 0, 0)
        os.symlink("token", self.path("link"))
        os.lchown(self.path("link"), STRANGER, STRANGER)
        self.assertIn("symbolic link", self.refusal("--token-file", self.path("link")))

    def test_a_fifo_in_the_place_of_a_file_is_refused_and_not_waited_for(self):
        fifo = self.path("fifo")
        os.mkfifo(fifo, 0o600)
        plain = self.write("plain", "no certificate")
        for options in (
            ("--token-file", fifo), ("--tokens", fifo), ("--audit-log", fifo),
            ("--tls-cert", fifo, "--tls-key", plain), ("--tls-cert", plain, "--tls-key", fifo),
            ("--tls-cert", plain, "--tls-key", plain, "--tls-client-ca", fifo),
        ):
            self.assertIn("can't", self.refusal(*options))

    def test_a_key_that_others_may_read_is_refused(self):
        if not shutil.which("openssl"):
            self.skipTest("openssl is not installed")
        certificate, key = self.path("cert.pem"), self.path("key.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-subj", "/CN=localhost", "-out", certificate, "-keyout", key],
            check=True, capture_output=True)
        tls = ("--tls-cert", certificate, "--tls-key", key)
        for mode in (0o644, 0o640, 0o604):
            os.chmod(key, mode)
            self.assertIn(f"chmod 600 {key}", self.refusal(*tls, listen="tcp:127.0.0.1:0"))
            client = subprocess.run(
                [PROGRAM, "ps", "--address", "tcp:127.0.0.1:9", *tls],
                stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
                timeout=REFUSAL_SECONDS_MAX)
            self.assertIn(f"chmod 600 {key}", client.stderr)
        os.chmod(key, 0o600)
        serving = self.serving(options=("--listen", "tcp:127.0.0.1:0", *tls))
        serving.start()
        self.assertEqual(serving.stop(), 0)

    def test_an_audit_log_does_not_lead_to_another_file(self):
        victim = self.write("victim", "precious")
        os.link(victim, self.path("audit"))
        self.assertIn("another name", self.refusal("--audit-log", self.path("audit")))
        if os.geteuid() == 0:
            os.symlink(victim, self.path("audit-link"))
            os.lchown(self.path("audit-link"), STRANGER, STRANGER)
            self.refusal("--audit-log", self.path("audit-link"))
        with open(victim, encoding="ascii") as file:
            self.assertEqual(file.read(), "precious")


class Locks(FilesCase):
    def hold(self, path):
        descriptor = os.open(path, os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX)

    def test_a_lock_on_the_directory_of_the_socket_delays_nobody(self):
        self.hold(self.directory)
        os.makedirs(self.path("state"), 0o700)
        self.hold(self.path("state"))
        serving = self.serving()
        serving.start()
        self.assertEqual(serving.stop(), 0)

    def test_a_lock_file_of_another_process_is_told_and_not_waited_for(self):
        self.hold(self.write("socket.lock", ""))
        self.assertIn("socket.lock", self.refusal())

    def test_an_exec_that_waits_for_the_base_s_lock_does_not_outlive_a_killed_server(self):
        serving = self.serving()
        serving.start()
        bases = [
            os.path.join(root, name) for root, directories, _ in os.walk("/sys/fs/cgroup")
            for name in directories if name.startswith(f"execstream.{serving.process.pid}.")]
        if not bases:
            self.skipTest("there are no cgroups here")
        # It waits for the lock of the state directory as well.
        lock = self.path("state", "lock")
        connection = self.enterContext(serving.connect())
        stream = connection.call_with_stream("Session")
        request = pb.Start(container_id="c", exec_id="waits")
        request.command.argv.extend(
            ["sh", "-c", f"flock {lock} sleep 600 & echo $$; exec flock {bases[0]} sleep 600"])
        stream.send(pb.SessionRequest(start=request))
        pid = next(int(message.output.stdout) for message in stream if message.HasField("output"))
        self.wait_until(lambda: self.is_waiting(pid), "the exec does not wait for the lock")
        serving.kill()
        self.wait_until(lambda: not self.is_waiting(pid), "the exec does not get the lock")
        again = self.serving()
        again.start()
        again.wait_for("an earlier server had left")
        self.assertFalse(self.is_alive(pid))
        self.assertFalse(os.path.exists(bases[0]))
        self.assertEqual(again.stop(), 0)

    @staticmethod
    def is_waiting(pid):
        """Whether the process stands in line for a lock."""
        with open("/proc/locks", encoding="ascii") as file:
            return any("->" in line and str(pid) in line.split() for line in file)

    @staticmethod
    def is_alive(pid):
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                return file.read().rpartition(")")[2].split()[0] not in "ZX"
        except FileNotFoundError:
            return False

    def wait_until(self, condition, problem):
        deadline = time.monotonic() + REFUSAL_SECONDS_MAX
        while not condition():
            self.assertLess(time.monotonic(), deadline, problem)
            time.sleep(0.01)


class Indexes(FilesCase):
    TEXTS = ["first ", "second ", "third ", "fourth "]

    def setUp(self):
        super().setUp()
        self.server = self.serving()
        self.server.start()
        with self.server.connect() as connection:
            # Each text is a chunk, because its reader has had the one before.
            stream = connection.call_with_stream("Session")
            request = pb.Start(container_id="c", exec_id="e")
            script = "; ".join(f"printf '%s' '{text}'; read line" for text in self.TEXTS)
            request.command.argv.extend(["sh", "-c", script])
            request.command.stdin = True
            stream.send(pb.SessionRequest(start=request))
            self.outputs = {}
            for message in stream:
                if message.HasField("output"):
                    self.outputs[message.output.sequence] = message.output.stdout
                    stream.send(pb.SessionRequest(stdin=b"\n"))
                elif message.HasField("exit"):
                    break
        self.assertEqual(list(self.outputs.values()), [text.encode() for text in self.TEXTS])
        self.index = self.path("state", "execs", "c", "e", "index")

    def view(self):
        """What a viewer is given, and the code that it ends with."""
        seen = {}
        with self.server.connect() as connection:
            stream = connection.call_with_stream("Session")
            stream.send(pb.SessionRequest(start=pb.Start(container_id="c", exec_id="e")))
            try:
                for message in stream:
                    if message.HasField("output"):
                        seen[message.output.sequence] = message.output.stdout
            except Failed as failure:
                return seen, failure.code
        return seen, 0

    def test_no_flipped_bit_gives_a_viewer_wrong_bytes_or_ends_the_server(self):
        with open(self.index, "rb") as file:
            right = file.read()
        self.assertEqual(len(right), RECORD_BYTES * len(self.TEXTS))
        for bit in range(0, len(right) * 8, sized(1, 5)):
            wrong = bytearray(right)
            wrong[bit // 8] ^= 1 << bit % 8
            with open(self.index, "r+b") as file:
                file.write(wrong)
            seen, code = self.view()
            self.assertEqual(code, DATA_LOSS, f"bit {bit}")
            self.assertEqual(
                seen, {sequence: self.outputs[sequence] for sequence in seen}, f"bit {bit}")
            self.assertEqual(len(seen), bit // (RECORD_BYTES * 8), f"bit {bit}")
        with open(self.index, "r+b") as file:
            file.write(right)
        self.assertEqual(self.view(), (self.outputs, 0))
        self.assertIsNone(self.server.process.poll())


class Crash(FilesCase):
    def test_a_crash_prints_no_memory(self):
        secret = "secret-of-the-environment"
        serving = self.serving(
            environment={"SWIFT_BACKTRACE": "enable=yes,color=no", "A_SECRET": secret})
        serving.start()
        with serving.connect() as connection:
            names = {"container_id": "c", "exec_id": "env"}
            outputs = [
                message.output.stdout for message in start(connection, names, ["/usr/bin/env"])]
        self.assertNotIn(b"SWIFT_BACKTRACE", b"".join(outputs))
        serving.process.send_signal(signal.SIGSEGV)
        self.assertEqual(serving.process.wait(REFUSAL_SECONDS_MAX), -signal.SIGSEGV)
        serving.kill()
        rest = serving.said[serving.said.index("ready") + 1:]
        self.assertEqual(rest, [])


if __name__ == "__main__":
    unittest.main()
