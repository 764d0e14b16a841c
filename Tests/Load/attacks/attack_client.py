"""What a hostile server, or one that is not the user's, can make of the program: no crash, no success of
what has failed, no token that is not its own, nothing that acts on a terminal.

The short form leaves out most of the numbers.
"""

import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import exec_pb2 as pb
from hostile_server import HostileServer
from serving import PROGRAM, Serving
from support import SHORT, sized

NOBODY = 65534
SECONDS_MAX = 60
SECRET = "a-token-that-nobody-else-may-see"

EXTREMES = [0, 1, 2, 1 << 31, 1 << 32, 1 << 53, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]
SOME_EXTREMES = [1, 1 << 63, (1 << 64) - 1]


class ClientCase(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="execstream-attack-")
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.socket_count = 0

    def hostile(self, answer=None, host=None, port=0, family=socket.AF_INET, **options):
        """A hostile server on a socket file, or on TCP where a host is named."""
        if host:
            listener = socket.create_server((host, port), family=family)
        else:
            listener = socket.socket(socket.AF_UNIX)
            self.socket_count += 1
            listener.bind(os.path.join(self.directory, f"hostile-{self.socket_count}"))
            listener.listen()
        server = HostileServer(listener, answer, **options)
        self.addCleanup(server.close)
        return server

    def spawn(self, words, environment=None, **options):
        environment = {
            "PATH": os.environ["PATH"], "HOME": self.directory, "XDG_STATE_HOME": self.directory,
            **(environment or {}),
        }
        return subprocess.Popen(
            [PROGRAM, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=environment, **options)

    def run_program(self, *words, environment=None):
        """Runs the program to its end, which must not be a crash."""
        process = self.spawn(words, environment)
        try:
            out, err = process.communicate(timeout=SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            self.fail(f"{words} did not end")
        # A negative code is a signal: a trap of Swift's is SIGILL or SIGTRAP.
        self.assertGreaterEqual(process.returncode, 0, f"{words}: {err[-2000:]}")
        self.assertNotIn(b"Fatal error", err)
        return process.returncode, out, err


def info(**fields):
    return pb.ExecInfo(container_id="c", exec_id="e", state=pb.EXEC_STATE_RUNNING, **fields)


def ready(**fields):
    return pb.SessionResponse(ready=pb.Ready(info=info(), **fields))


class ExitAttack(ClientCase):
    """No exit that a server tells turns a failure into success."""

    NATURAL, SIGNAL = pb.EXIT_REASON_NATURAL, pb.EXIT_REASON_SIGNAL
    EXITS = [
        (256, 0, NATURAL), (512, 0, NATURAL), (-256, 0, NATURAL), (65536, 0, NATURAL),
        (-(1 << 31), 0, NATURAL), (0, 9, NATURAL), (0, 9, SIGNAL), (0, 256, SIGNAL),
        (0, -128, SIGNAL), (256, 9, SIGNAL), (0, 0, pb.EXIT_REASON_UNSPECIFIED), (0, 0, SIGNAL),
        (0, 0, pb.EXIT_REASON_FORCED_KILL), (0, 0, pb.EXIT_REASON_START_FAILED),
        (0, 0, pb.EXIT_REASON_RUNTIME_ERROR), (0, 0, 99),
    ]

    def answer_with(self, make_exit):
        def answer(method, message, peer):
            told = make_exit()
            if method == "ExecWait":
                peer.respond(pb.ExecWaitResponse(info=info(exit=told)))
            elif method == "Publish":
                if pb.PublishRequest.FromString(message).HasField("exit"):
                    peer.respond(pb.PublishResponse(exit=told))
            elif pb.SessionRequest.FromString(message).HasField("start"):
                peer.send(ready())
                peer.send(pb.SessionResponse(exit=told))
                peer.end()
            else:
                peer.end()
        return answer

    def test_a_failed_exec_is_never_0(self):
        told = {}
        server = self.hostile(self.answer_with(lambda: pb.Exit(drained=True, **told)))
        script = os.path.join(self.directory, "script.lua")
        with open(script, "w", encoding="ascii") as file:
            file.write('local _, _, exit = require("exec").attach("c", "e"):wait()\nreturn exit.code')
        commands = [
            ("attach", "c/e"), ("wait", "c/e"), ("run", "true"), ("attach", "c/e", "--json"),
            ("publish", "c/e", "--", "true"), ("lua", script),
        ]
        for code, signal, reason in self.EXITS[::4] if SHORT else self.EXITS:
            told.update(code=code, signal=signal, reason=reason)
            for name, *rest in commands:
                with self.subTest(command=name, **told):
                    ended, _, _ = self.run_program(name, "--address", server.address, *rest)
                    self.assertNotEqual(ended, 0)
                    if 1 <= signal <= 64:
                        self.assertEqual(ended, 128 + signal)

    def test_a_session_that_ends_without_an_exit_is_not_0(self):
        exited = pb.Ready(info=info(exit=pb.Exit(code=3, reason=self.NATURAL)))

        def answer(method, message, peer):
            if pb.SessionRequest.FromString(message).HasField("start"):
                peer.send(pb.SessionResponse(ready=exited))
            peer.end()
        server = self.hostile(answer)
        for words in (("attach", "c/e"), ("run", "true"), ("logs", "c/e")):
            ended, _, _ = self.run_program(words[0], "--address", server.address, *words[1:])
            self.assertNotEqual(ended, 0, words)

    def test_a_command_that_was_published_ends_with_its_own_code(self):
        server = self.hostile(self.answer_with(lambda: pb.Exit(reason=self.NATURAL, drained=True)))
        ended, _, _ = self.run_program(
            "publish", "--address", server.address, "c/e", "--", "sh", "-c", "exit 7")
        self.assertEqual(ended, 7)

    def test_a_server_that_says_exited_and_not_how_is_an_error(self):
        calls = []

        def answer(method, message, peer):
            calls.append(method)
            state = pb.EXEC_STATE_EXITED if len(calls) > 5 else pb.EXEC_STATE_RUNNING
            peer.respond(pb.ExecWaitResponse(
                info=pb.ExecInfo(container_id="c", exec_id="e", state=state)))
        server = self.hostile(answer)
        ended, _, _ = self.run_program("wait", "--address", server.address, "c/e")
        self.assertEqual(ended, 125)
        self.assertEqual(len(calls), 6)


class NumberAttack(ClientCase):
    """Any number in any field of any message ends no client by a trap."""

    def variants(self, message):
        """Copies of the message with each of its numbers set to each extreme, by protobuf's own tables."""
        for field in message.DESCRIPTOR.fields:
            if field.label == field.LABEL_REPEATED:
                if field.type == field.TYPE_INT32:
                    for value in (-(1 << 31), (1 << 31) - 1):
                        copy = type(message)()
                        copy.CopyFrom(message)
                        getattr(copy, field.name).append(value)
                        yield copy
                continue
            if field.type == field.TYPE_MESSAGE:
                if message.HasField(field.name):
                    for inner in self.variants(getattr(message, field.name)):
                        copy = type(message)()
                        copy.CopyFrom(message)
                        getattr(copy, field.name).CopyFrom(inner)
                        yield copy
                continue
            bits = {
                field.TYPE_INT32: 32, field.TYPE_UINT32: 32, field.TYPE_ENUM: 31,
                field.TYPE_INT64: 64, field.TYPE_UINT64: 64,
            }.get(field.type)
            values = [float("nan"), float("inf"), -1e308] if field.type == field.TYPE_DOUBLE else []
            for number in (SOME_EXTREMES if SHORT else EXTREMES) if bits else ():
                number &= (1 << bits) - 1
                if field.type in (field.TYPE_INT32, field.TYPE_INT64) and number >> (bits - 1):
                    number -= 1 << bits
                if number not in values:
                    values.append(number)
            for value in values:
                copy = type(message)()
                copy.CopyFrom(message)
                setattr(copy, field.name, value)
                yield copy

    FULL_EXIT = pb.Exit(code=1, reason=pb.EXIT_REASON_NATURAL, drained=True, usage=pb.Usage(user_us=1))

    def full_info(self):
        return info(exit=self.FULL_EXIT, window=pb.Resize(rows=1), argv=["x"], started_unix_ns=1)

    def session_messages(self):
        output = pb.Output(sequence=1, unix_ns=1, stdout=b"line\n")
        gap = pb.Gap(first_sequence=1, last_sequence=2, stdout_bytes=1, stderr_bytes=1)
        for message in (
            pb.SessionResponse(output=output), pb.SessionResponse(gap=gap),
            pb.SessionResponse(ended=pb.Ended(code=1)), pb.SessionResponse(exit=self.FULL_EXIT),
            pb.SessionResponse(ready=pb.Ready(info=self.full_info())),
            pb.SessionResponse(state=pb.StateChange(state=1)),
            pb.SessionResponse(resized=pb.Resize(rows=1)),
            pb.SessionResponse(stdin_credit=pb.Credit(bytes=1)),
        ):
            yield from self.variants(message)
        # The sums of counts.
        most = (1 << 64) - 1
        yield pb.SessionResponse(
            gap=pb.Gap(first_sequence=1, last_sequence=2, stdout_bytes=most, stderr_bytes=most))
        yield pb.SessionResponse(
            gap=pb.Gap(first_sequence=1, last_sequence=most - 1, stdout_bytes=most))

    def test_of_a_session(self):
        now = {}

        def answer(method, message, peer):
            if pb.SessionRequest.FromString(message).HasField("start"):
                if not now["message"].HasField("ready"):
                    peer.send(ready())
                # Twice: the sum of two must fit, too.
                peer.send(now["message"])
                if now["message"].HasField("gap"):
                    gap = now["message"].gap
                    peer.send(pb.SessionResponse(gap=pb.Gap(
                        first_sequence=(gap.last_sequence + 1) % (1 << 64),
                        last_sequence=(1 << 64) - 2, stdout_bytes=(1 << 64) - 1,
                        stderr_bytes=(1 << 64) - 1)))
                peer.send(pb.SessionResponse(output=pb.Output(
                    sequence=(1 << 64) - 1, offset=(1 << 64) - 1, unix_ns=-(1 << 63), stderr=b"x\n")))
            peer.end()
        server = self.hostile(answer)
        forms = [("--timestamps",), ("--json",)]
        for index, message in enumerate(self.session_messages()):
            now["message"] = message
            form = forms[index % 2] if SHORT else None
            for options in [form] if form else forms:
                with self.subTest(message=str(message), options=options):
                    code, _, _ = self.run_program(
                        "attach", "--address", server.address, *options, "c/e")
                    told = message.exit
                    if not message.HasField("exit") or told.code or told.signal or told.reason != 1:
                        self.assertNotEqual(code, 0)

    def test_of_lists_events_and_containers(self):
        event = pb.ContainerLifecycleEvent(
            sequence=1, unix_ns=1, container_id="c", exec_id="e", kind=5, info=self.full_info())
        events = list(self.variants(event)) * 12  # more than a slow consumer holds
        infos = list(self.variants(self.full_info()))
        statuses = list(self.variants(pb.ContainerStatusResponse(
            container_id="c", execs=infos, exit=self.FULL_EXIT,
            resource_usage=pb.ResourceUsage(cpu_percent=1))))
        turn = iter(statuses)

        def answer(method, message, peer):
            if method == "ExecList":
                peer.respond(pb.ExecListResponse(execs=infos))
            elif method == "ContainerStatus":
                peer.respond(next(turn))
            elif method == "ContainerLifecycle":
                for each in events:
                    peer.send(each)
                peer.end()
            else:
                peer.respond(pb.ContainerControlResponse(success=True, execs=(1 << 32) - 1))
        hello = pb.HelloResponse(server="x", protocol=(1 << 32) - 1, chunk_bytes_max=(1 << 32) - 1)
        server = self.hostile(answer, hello=hello)
        address = ("--address", server.address)
        for json in ((), ("--json",)):
            for words in (("ps", "-a"), ("events",), ("pause", "c"), ("signal", "c", "TERM")):
                code, out, _ = self.run_program(words[0], *address, *json, *words[1:])
                self.assertEqual(code, 0, words)
                self.assertTrue(out)
        for index in range(len(statuses) // (8 if SHORT else 1)):
            json = ("--json",) if index % 2 else ()
            code, _, _ = self.run_program("status", *address, *json, "--usage", "c")
            self.assertEqual(code, 0)

    def test_of_a_script(self):
        infos = iter(list(self.variants(self.full_info())) * 2)

        def answer(method, message, peer):
            if method == "ExecWait":
                return peer.respond(pb.ExecWaitResponse(info=next(infos)))
            if pb.SessionRequest.FromString(message).HasField("start"):
                peer.send(ready())
        server = self.hostile(answer)
        script = os.path.join(self.directory, "script.lua")
        with open(script, "w", encoding="ascii") as file:
            file.write("""
                local process = require("exec").attach("c", "e")
                for _ = 1, tonumber(arg[1]) do assert(process:info()) end
            """)
        count = len(list(self.variants(self.full_info())))
        code, _, err = self.run_program("lua", "--address", server.address, script, str(count))
        self.assertEqual(code, 0, err)


class EventAttack(ClientCase):
    def test_large_events_that_nobody_reads_are_counted_and_not_kept(self):
        count = sized(400, 150)
        sent, is_read = threading.Event(), threading.Event()

        def event(number, argv):
            return pb.ContainerLifecycleEvent(
                sequence=number, unix_ns=1, container_id="c",
                info=pb.ExecInfo(container_id="c", exec_id="e", argv=argv))

        def answer(method, message, peer):
            if method != "ContainerLifecycle":
                return
            for number in range(1, count + 1):
                peer.send(event(number, ["a" * 1000] * 3000))
            sent.set()
            is_read.wait(SECONDS_MAX)
            peer.send(event(count + 1, []))

        process = self.spawn(("events", "--json", "--address", self.hostile(answer).address))
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        self.assertTrue(sent.wait(SECONDS_MAX))
        with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
            peak = int(file.read().split("VmHWM:")[1].split()[0]) // 1024
        self.assertLess(peak, 200)
        seen = 0
        while seen <= count:
            told = json.loads(process.stdout.readline())
            seen += 1 + int(told.get("missed", 0))
            self.assertEqual(int(told["sequence"]), seen)
            is_read.set()
        self.assertEqual(seen, count + 1)


class SilenceAttack(ClientCase):
    def test_a_script_ends_by_signals_whose_server_has_fallen_silent(self):
        def answer(method, message, peer):
            if method == "Session" and pb.SessionRequest.FromString(message).HasField("start"):
                peer.send(ready())

        server = self.hostile(answer)
        script = os.path.join(self.directory, "script.lua")
        with open(script, "w", encoding="ascii") as file:
            file.write(
                'local process = require("exec").get("process:native"):exec("sleep 1")\n'
                'assert(process:start()) print("started") io.stdout:flush()\n')
        process = self.spawn(("lua", "--address", server.address, script))
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), b"started\n")
        # One ends the script, another kills what it has started, a third the program.
        for _ in range(SECONDS_MAX):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(1.2)
                break
            except subprocess.TimeoutExpired:
                pass
        self.assertEqual(process.poll(), 128 + signal.SIGTERM)


class TextAttack(ClientCase):
    """A server's texts do not act on the user's terminal."""

    TEXT = "\x1b[2J\x1b]0;owned\x07\u202egnp.exe\u2066\x9b31m\r\nnext"

    def check(self, said):
        text = said.decode()
        for character in text:
            self.assertFalse(
                (ord(character) < 32 and character not in "\n\t") or 0x7F <= ord(character) < 0xA0
                or character in "\u202e\u2066", text)

    def test_in_errors_tables_events_and_tracebacks(self):
        named = pb.ExecInfo(container_id=self.TEXT, exec_id=self.TEXT, argv=[self.TEXT, self.TEXT])

        def answer(method, message, peer):
            if method == "ExecList":
                peer.respond(pb.ExecListResponse(execs=[named]))
            elif method == "ContainerStatus":
                peer.respond(pb.ContainerStatusResponse(container_id=self.TEXT, execs=[named]))
            elif method == "ContainerPause":
                peer.respond(pb.ContainerControlResponse(success=True, message=self.TEXT))
            elif method == "ContainerLifecycle":
                peer.send(pb.ContainerLifecycleEvent(unix_ns=1, kind=2, info=named))
                peer.end()
            elif method == "Session" and b"exit" in message:
                peer.send(ready())
                peer.send(pb.SessionResponse(exit=pb.Exit(code=3, reason=1, message=self.TEXT)))
                peer.end()
            else:
                peer.fail(9, self.TEXT * 5000)
        server = self.hostile(answer)
        script = os.path.join(self.directory, "script.lua")
        with open(script, "w", encoding="ascii") as file:
            file.write('require("exec").attach("c", "e")')
        for words in (
            ("ps", "-a"), ("status", "c"), ("pause", "c"), ("events",), ("attach", "c/e"),
            ("attach", "c/exit"), ("rm", "c/e"), ("wait", "c/e"), ("lua", script),
        ):
            with self.subTest(command=words):
                _, out, err = self.run_program(words[0], "--address", server.address, *words[1:])
                self.check(out)
                self.check(err)
                if words[0] != "lua":
                    self.assertLess(len(err), 20000)


class TokenAttack(ClientCase):
    """A token goes to its own server only."""

    def serve(self, **options):
        """A server whose state is where clients look for it."""
        own = os.path.join(self.directory, "own")
        os.mkdir(own)
        server = Serving(own, tcp=True, **options)
        state = os.path.join(self.directory, "execstream")
        server._words[server._words.index(server.state)] = state
        server.state = state
        server.start()
        self.addCleanup(server.kill)
        return server

    def listen_as_nobody(self, port):
        """Takes a port as another user; the kernel keeps who has made the socket."""
        os.seteuid(NOBODY)
        try:
            return socket.create_server(("127.0.0.1", port))
        finally:
            os.seteuid(0)

    def assert_kept(self, server, token):
        self.assertNotIn(token.encode(), bytes(server.received))

    def port(self, server):
        return int(server.tcp.rpartition(":")[2])

    def test_the_servers_own_token_is_found_for_its_own_address(self):
        server = self.serve()
        code, _, err = self.run_program("ps", "--address", server.tcp)
        self.assertEqual(code, 0, err)
        mode = os.stat(os.path.join(server.state, "addresses")).st_mode & 0o777
        self.assertEqual(mode, 0o600)
        self.assertEqual(server.stop(), 0)
        self.assertFalse(os.path.exists(os.path.join(server.state, "addresses")))

    def test_it_is_not_shown_to_any_other_listener(self):
        server = self.serve()
        others = [
            self.hostile(host="127.0.0.1"), self.hostile(host="127.0.0.2"),
            self.hostile(host="127.0.0.2", port=self.port(server)), self.hostile(),
        ]
        if socket.has_ipv6:
            others.append(self.hostile(host="::1", family=socket.AF_INET6))
        script = os.path.join(self.directory, "script.lua")
        with open(script, "w", encoding="ascii") as file:
            file.write('require("exec").attach("c", "e")')
        for other in others:
            address = other.address.replace("::1:", "[::1]:")
            self.run_program("ps", "--address", address)
            self.run_program("ps", environment={"EXECSTREAM_ADDRESS": address})
            self.run_program("run", "--address", address, "true")
            self.run_program("lua", "--address", address, script)
            self.assert_kept(other, server.token)
            self.assertEqual(set(other.tokens), {""})

    @unittest.skipUnless(os.geteuid() == 0, "only root can be somebody else for a moment")
    def test_it_is_not_shown_to_who_takes_the_port_of_a_server_that_was_killed(self):
        server = self.serve()
        token = server.token
        server.kill()
        self.assertTrue(os.path.exists(os.path.join(server.state, "addresses")))
        with HostileServer(self.listen_as_nobody(self.port(server))) as thief:
            self.run_program("ps", "--address", server.tcp)
            self.assertEqual(thief.tokens, [""])
            self.assert_kept(thief, token)

    @unittest.skipUnless(os.geteuid() == 0, "only root can be somebody else for a moment")
    def test_a_client_that_comes_back_does_not_show_it_to_who_has_the_port_by_then(self):
        server = self.serve()
        token = server.token
        client = self.spawn(("run", "--address", server.tcp, "sh", "-c", "echo on; sleep 600"))
        self.assertEqual(client.stdout.readline(), b"on\n")
        server.kill()
        with HostileServer(self.listen_as_nobody(self.port(server))) as thief:
            client.communicate(timeout=SECONDS_MAX)
            self.assertTrue(thief.tokens)
            self.assertEqual(set(thief.tokens), {""})
            self.assert_kept(thief, token)
        self.assertNotEqual(client.returncode, 0)

    def test_it_is_not_shown_in_a_network_or_after_a_start_of_the_machine_that_is_another(self):
        server = self.serve()
        path = os.path.join(server.state, "addresses")
        with open(path, encoding="ascii") as file:
            first, *rest = file.read().splitlines()
        for other in ("00000000-0000-0000-0000-000000000000 " + first.split()[1],
                      first.split()[0] + " net:[1]", "unknown"):
            # In place, so that the server holds it as before.
            with open(path, "r+", encoding="ascii") as file:
                file.write("\n".join([other, *rest]) + "\n")
                file.truncate()
            code, _, _ = self.run_program("ps", "--address", server.tcp)
            self.assertEqual(code, 125)

    def non_loopback(self):
        """This machine's addresses that are not loopback ones; 0.0.0.0 leads to it as well."""
        addresses = ["0.0.0.0"]
        said = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=False).stdout
        return addresses + [word for word in said.split() if "." in word][:1]

    def given(self):
        path = os.path.join(self.directory, "given")
        with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="ascii") as file:
            file.write(SECRET)
        return path

    def test_a_given_token_goes_over_plain_tcp_to_loopback_addresses_only(self):
        path = self.given()
        for host in self.non_loopback():
            server = self.hostile(host=host)
            for words, environment in (
                (("ps", "--token-file", path), {}), (("ps",), {"EXECSTREAM_TOKEN": SECRET}),
                (("run", "--token-file", path, "true"), {}), (("events", "--token-file", path), {}),
            ):
                code, _, err = self.run_program(
                    words[0], "--address", server.address, *words[1:], environment=environment)
                self.assertEqual(code, 125)
                self.assertIn(b"--insecure", err)
                self.assertEqual(bytes(server.received), b"", "something was sent")
            self.run_program("ps", "--address", server.address, "--token-file", path, "--insecure")
            self.assertEqual(server.tokens, [SECRET])
        loopback = self.hostile(host="127.0.0.2")
        self.run_program("ps", "--address", loopback.address, "--token-file", path)
        self.assertEqual(loopback.tokens, [SECRET])

    def test_a_scripts_token_goes_over_plain_tcp_to_loopback_addresses_only(self):
        path, script = self.given(), os.path.join(self.directory, "script.lua")
        resources = os.path.join(self.directory, "resources")
        with open(script, "w", encoding="ascii") as file:
            file.write('require("exec").get("other")')
        for host in self.non_loopback():
            server = self.hostile(host=host)
            with open(resources, "w", encoding="ascii") as file:
                file.write(
                    f'{{"other": {{"address": "{server.address}", "token_file": "{path}"}}}}')
            code, _, err = self.run_program("lua", "--resources", resources, script)
            self.assertEqual(code, 1)
            self.assertIn(b"--insecure", err)
            self.assertEqual(bytes(server.received), b"")

    def test_nothing_is_said_before_the_server_has_proven_itself(self):
        path = self.given()
        # It speaks no TLS, and takes what comes.
        server = self.hostile(host="127.0.0.1", says_hello=False)
        process = self.spawn(
            ("ps", "--address", server.address, "--tls", "--token-file", path))
        deadline = time.monotonic() + SECONDS_MAX
        while not server.received and time.monotonic() < deadline:
            time.sleep(0.02)
        process.kill()
        process.communicate()
        self.assertTrue(server.received)
        self.assert_kept(server, SECRET)
        self.assertNotIn(b"execstream", bytes(server.received))

    def test_no_argument_of_the_program_holds_a_token(self):
        path = self.given()
        server = self.hostile(host="127.0.0.1", says_hello=False)
        process = self.spawn(("ps", "--address", server.address, "--token-file", path))
        deadline = time.monotonic() + SECONDS_MAX
        while not server.tokens and time.monotonic() < deadline:
            time.sleep(0.02)
        with open(f"/proc/{process.pid}/cmdline", "rb") as file:
            self.assertNotIn(SECRET.encode(), file.read())
        process.kill()
        _, err = process.communicate()
        self.assertNotIn(SECRET.encode(), err)


if __name__ == "__main__":
    unittest.main()
