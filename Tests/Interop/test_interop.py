"""The built server, as a client sees it that is made from Proto by Google's own protobuf.

Scripts/test-interop runs this: it makes exec_pb2 and ttrpc_pb2, and sets $EXECSTREAM.
Nothing here sleeps: a test waits for a message, and no longer than the client's timeout.
"""

import signal
import unittest

import exec_pb2 as pb
from serving import TemporaryServing
from ttrpc_client import DATA, REQUEST, RESPONSE, TIMEOUT, Closed, Connection, Failed

INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION, UNIMPLEMENTED, UNAUTHENTICATED = 3, 5, 9, 12, 16


class Recording:
    """What one Session says, from Ready to Exit, and whether it may say so."""

    def __init__(self, test, stream):
        self._test = test
        self._stream = stream
        self.outputs = []
        self.exit = None
        self.ready = self.next()
        test.assertEqual(self.ready.WhichOneof("msg"), "ready", "Ready is not first")
        self.ready = self.ready.ready

    def next(self):
        """The next message; None at the end."""
        message = next(self._stream, None)
        if message is None:
            return None
        self._test.assertIsNone(self.exit, "something came after the exit")
        if message.HasField("output"):
            self.outputs.append(message.output)
        elif message.HasField("exit"):
            self.exit = message.exit
        return message

    def until(self, text):
        """Reads until stdout holds `text`."""
        while text not in self.bytes("stdout"):
            self._test.assertIsNotNone(self.next(), f"it ended without {text}")

    def to_the_end(self):
        while self.next() is not None:
            pass
        self._test.assertIsNotNone(self.exit, "the stream ended without an exit")
        return self

    def bytes(self, stream):
        return b"".join(getattr(each, stream) for each in self.outputs)

    def check_complete(self):
        """From the first chunk to the last, without a hole, and as many bytes as the exit says."""
        test = self._test
        sequences = [each.sequence for each in self.outputs]
        test.assertEqual(sequences, list(range(1, self.exit.last_sequence + 1)))
        test.assertEqual(len(self.bytes("stdout")), self.exit.stdout_bytes)
        test.assertEqual(len(self.bytes("stderr")), self.exit.stderr_bytes)
        offsets = {"stdout": 0, "stderr": 0}
        for each in self.outputs:
            name = each.WhichOneof("data")
            test.assertEqual(each.offset, offsets[name])
            offsets[name] += len(getattr(each, name))


def setUpModule():
    InteropTest.server = TemporaryServing(tcp=True)


def tearDownModule():
    server = InteropTest.server
    code = server.stop()
    if code != 0:
        raise AssertionError("\n".join([f"the server ended with {code}; it said:", *server.said]))


class InteropTest(unittest.TestCase):
    """One server for all tests; each names a container after itself."""

    server: TemporaryServing

    def setUp(self):
        self.container = self._testMethodName
        self.connection = self.connect()

    def connect(self):
        return self.enterContext(self.server.connect(self.server.tcp))

    def start(self, *argv, exec_id="e", connection=None, **command):
        """Opens a Session that starts a command."""
        stream = (connection or self.connection).call_with_stream("Session")
        start = pb.Start(container_id=self.container, exec_id=exec_id)
        start.command.MergeFrom(pb.Command(argv=argv, **command))
        stream.send(pb.SessionRequest(start=start))
        return stream

    def attach(self, exec_id="e", connection=None, **view):
        """Opens a Session that attaches to an exec."""
        stream = (connection or self.connection).call_with_stream("Session")
        start = pb.Start(container_id=self.container, exec_id=exec_id, view=pb.View(**view))
        stream.send(pb.SessionRequest(start=start))
        return stream

    def names(self, exec_id="e"):
        return {"container_id": self.container, "exec_id": exec_id}

    def assert_fails(self, code, call, *arguments, **options):
        with self.assertRaises(Failed) as raised:
            call(*arguments, **options)
        self.assertEqual(raised.exception.code, code, raised.exception)
        return raised.exception

    def assert_alive(self, connection=None):
        (connection or self.connection).call("ExecList", pb.ExecListRequest())


class HelloTests(InteropTest):
    def test_hello_tells_what_the_server_is(self):
        hello = pb.HelloRequest(client="interop/1", token=self.server.token)
        answer = self.connection.call("Hello", hello)
        self.assertTrue(answer.server.startswith("execstream/"), answer)
        self.assertEqual(answer.protocol, 1)
        self.assertIn("process", answer.features)
        self.assertGreater(answer.chunk_bytes_max, 0)

    def test_a_wrong_token_is_unauthenticated_and_the_third_closes(self):
        with Connection(self.server.tcp) as connection:
            hello = pb.HelloRequest(client="interop/1", token="wrong")
            for _ in range(3):
                self.assert_fails(UNAUTHENTICATED, connection.call, "Hello", hello)
            with self.assertRaises(Closed):
                connection.receive(1)

    def test_a_call_before_hello_is_unauthenticated(self):
        with Connection(self.server.tcp) as connection:
            self.assert_fails(UNAUTHENTICATED, connection.call, "ExecList", pb.ExecListRequest())
            session = connection.call_with_stream("Session")
            self.assert_fails(UNAUTHENTICATED, next, session)

    def test_the_token_may_come_with_a_call_instead(self):
        with Connection(self.server.tcp) as connection:
            bearer = [("authorization", f"Bearer {self.server.token}")]
            connection.call("ExecList", pb.ExecListRequest(), metadata=bearer)
            self.assert_alive(connection)

    def test_the_unix_socket_needs_no_token(self):
        with Connection(self.server.unix) as connection:
            self.assert_alive(connection)


class SessionTests(InteropTest):
    def test_a_session_carries_both_streams_and_the_exit(self):
        stream = self.start("sh", "-c", "echo out; echo err >&2; echo again; exit 7")
        session = Recording(self, stream).to_the_end()
        self.assertFalse(session.ready.joined)
        self.assertGreater(session.ready.info.pid, 0)
        self.assertEqual(session.bytes("stdout"), b"out\nagain\n")
        self.assertEqual(session.bytes("stderr"), b"err\n")
        self.assertEqual(session.exit.code, 7)
        self.assertEqual(session.exit.reason, pb.EXIT_REASON_NATURAL)
        self.assertEqual(session.exit.cause, pb.STOP_CAUSE_UNSPECIFIED)
        self.assertTrue(session.exit.drained)
        session.check_complete()

    def test_much_output_comes_whole(self):
        stream = self.start("sh", "-c", "seq 300000; seq 100000 >&2")
        session = Recording(self, stream).to_the_end()
        self.assertEqual(session.bytes("stdout"), lines_up_to(300000))
        self.assertEqual(session.bytes("stderr"), lines_up_to(100000))
        session.check_complete()

    def test_a_command_that_cannot_be_found_exits_with_127(self):
        session = Recording(self, self.start("no-such-command")).to_the_end()
        self.assertEqual(session.exit.code, 127)
        self.assertEqual(session.exit.reason, pb.EXIT_REASON_START_FAILED)
        self.assertIn("no-such-command", session.exit.message)

    def test_environment_and_directory_are_those_of_the_command(self):
        command = {"env": {"NAME": "v\u00e4lue"}, "clear_env": True, "working_dir": "/usr"}
        stream = self.start("/bin/sh", "-c", 'echo "$NAME"; pwd', **command)
        session = Recording(self, stream).to_the_end()
        self.assertEqual(session.bytes("stdout").decode(), "v\u00e4lue\n/usr\n")

    def test_stdin_goes_round_as_its_credit_allows(self):
        data = bytes(range(256)) * 4096  # 1 MiB, more than the first credit
        stream = self.start("cat", stdin=True)
        session = Recording(self, stream)
        credit, sent = session.ready.stdin_credit, 0
        self.assertLess(credit, len(data))
        while sent < len(data):
            piece = data[sent : sent + min(credit, 65536)]
            if piece:
                stream.send(pb.SessionRequest(stdin=piece))
                credit -= len(piece)
                sent += len(piece)
            else:
                credit += session.next().stdin_credit.bytes
        stream.send(pb.SessionRequest(close_stdin=pb.CloseStdin()))
        session.to_the_end()
        self.assertEqual(session.bytes("stdout"), data)
        self.assertEqual(session.exit.code, 0)
        session.check_complete()

    def test_a_half_close_ends_stdin_and_output_goes_on(self):
        stream = self.start("sh", "-c", "cat; echo after", stdin=True)
        session = Recording(self, stream)
        stream.send(pb.SessionRequest(stdin=b"before\n"))
        stream.half_close()
        self.assertEqual(session.to_the_end().bytes("stdout"), b"before\nafter\n")

    def test_a_second_viewer_sees_the_same_bytes(self):
        script = "echo one; echo two >&2; read line; echo $line; exit 3"
        stream = self.start("sh", "-c", script, stdin=True)
        first = Recording(self, stream)
        first.until(b"one\n")
        second = Recording(self, self.attach(connection=self.connect()))
        self.assertTrue(second.ready.joined)
        stream.send(pb.SessionRequest(stdin=b"three\n"))
        late = Recording(self, self.attach(connection=self.connect()))
        for viewer in (first, second, late):
            viewer.to_the_end().check_complete()
            self.assertEqual(viewer.bytes("stdout"), b"one\nthree\n")
            self.assertEqual(viewer.bytes("stderr"), b"two\n")
            self.assertEqual(viewer.exit, first.exit)
        self.assertEqual(first.exit.code, 3)

    def test_a_viewer_resumes_after_the_sequence_it_saw(self):
        first = Recording(self, self.start("sh", "-c", "seq 100000")).to_the_end()
        seen = first.exit.last_sequence // 2
        resumed = Recording(self, self.attach(after_sequence=seen)).to_the_end()
        expected = [(each.sequence, each.stdout) for each in first.outputs[seen:]]
        self.assertEqual([(each.sequence, each.stdout) for each in resumed.outputs], expected)
        self.assertTrue(all(each.replay for each in resumed.outputs))

    def test_a_viewer_that_detaches_is_let_go_and_the_exec_goes_on(self):
        stream = self.start("sh", "-c", "echo up; read line; exit 3", stdin=True)
        session = Recording(self, stream)
        other = self.attach()
        viewer = Recording(self, other)
        viewer.until(b"up\n")
        other.send(pb.SessionRequest(detach=pb.Detach()))
        while viewer.next() is not None:
            pass
        self.assertIsNone(viewer.exit)
        stream.send(pb.SessionRequest(close_stdin=pb.CloseStdin()))
        self.assertEqual(session.to_the_end().exit.code, 3)

    def test_the_same_start_again_joins(self):
        argv = ("sh", "-c", "echo once; read line", "-")
        stream = self.start(*argv, stdin=True)
        first = Recording(self, stream)
        again = Recording(self, self.start(*argv, stdin=True, connection=self.connect()))
        self.assertTrue(again.ready.joined)
        self.assertEqual(again.ready.info.pid, first.ready.info.pid)
        stream.send(pb.SessionRequest(close_stdin=pb.CloseStdin()))
        self.assertEqual(again.to_the_end().bytes("stdout"), b"once\n")


class TerminalTests(InteropTest):
    WATCHER = """
        trap 'stty size' WINCH; echo ready; while :; do sleep 0.1 & wait; done
    """

    def terminal(self, script, rows=30, columns=90, **options):
        terminal = pb.Terminal(rows=rows, columns=columns)
        return self.start("sh", "-c", script, terminal=terminal, **options)

    def until_resized(self, session):
        while not (message := session.next()).HasField("resized"):
            pass
        return message.resized

    def test_the_server_says_that_it_has_terminals(self):
        hello = pb.HelloRequest(client="interop/1", token=self.server.token)
        self.assertIn("tty", self.connection.call("Hello", hello).features)

    def test_a_terminal_has_one_stream_and_a_size(self):
        session = Recording(self, self.terminal("stty size; tty >&2; echo $TERM"))
        self.assertTrue(session.ready.info.tty)
        self.assertEqual(session.ready.info.window, pb.Resize(rows=30, columns=90))
        self.assertGreater(session.ready.stdin_credit, 0)
        session.to_the_end().check_complete()
        self.assertRegex(
            session.bytes("stdout"), rb"^30 90\r\n/dev/pts/[0-9]+\r\nxterm-256color\r\n$"
        )
        self.assertEqual(session.exit.code, 0)

    def test_a_resize_reaches_the_exec_and_every_viewer(self):
        stream = self.terminal(self.WATCHER)
        first = Recording(self, stream)
        first.until(b"ready\r\n")
        second = Recording(self, self.attach(connection=self.connect()))
        stream.send(pb.SessionRequest(resize=pb.Resize(rows=40, columns=100)))
        for viewer in (first, second):
            self.assertEqual(self.until_resized(viewer), pb.Resize(rows=40, columns=100))
            viewer.until(b"40 100\r\n")
        stream.send(pb.SessionRequest(resize=pb.Resize(columns=70)))
        self.assertEqual(self.until_resized(second), pb.Resize(rows=40, columns=70))
        info = self.connection.call("ExecWait", pb.ExecWaitRequest(**self.names())).info
        self.assertEqual(info.window, pb.Resize(rows=40, columns=70))
        stream.send(pb.SessionRequest(signal=pb.Signal(number=signal.SIGKILL)))
        self.assertEqual(first.to_the_end().exit.signal, signal.SIGKILL)

    def test_what_is_typed_is_input_interrupt_and_end(self):
        wait = "until [ $hit ]; do sleep 0.05; done"
        script = f"trap 'hit=1; echo interrupted' INT; echo up; {wait}; cat; echo bye"
        stream = self.terminal(script)
        session = Recording(self, stream)
        session.until(b"up\r\n")
        stream.send(pb.SessionRequest(stdin=b"\x03"))
        session.until(b"interrupted\r\n")
        stream.send(pb.SessionRequest(stdin=b"typed\n"))
        stream.send(pb.SessionRequest(close_stdin=pb.CloseStdin()))
        session.to_the_end()
        self.assertTrue(session.bytes("stdout").endswith(b"typed\r\ntyped\r\nbye\r\n"))
        self.assertEqual(session.exit.code, 0)

    def test_a_size_is_refused_where_there_is_no_terminal_or_no_such_size(self):
        stream = self.start("sh", "-c", "echo up; read line", stdin=True)
        Recording(self, stream).until(b"up\n")
        stream.send(pb.SessionRequest(resize=pb.Resize(rows=1, columns=1)))
        self.assert_fails(FAILED_PRECONDITION, lambda: list(stream))
        stream = self.terminal("true", rows=65536, exec_id="large")
        self.assert_fails(INVALID_ARGUMENT, next, stream)


class ExecTests(InteropTest):
    def start_sleeper(self, exec_id="e"):
        session = Recording(self, self.start("sleep", "600", exec_id=exec_id))
        self.addCleanup(self.stop_quietly, exec_id)
        return session

    def stop_quietly(self, exec_id):
        # On a connection of its own: the test's may be closed, or in the middle of something.
        with self.server.connect(self.server.tcp) as connection:
            connection.call("ExecStop", pb.ExecStopRequest(**self.names(exec_id)))

    def test_wait_tells_a_late_exit(self):
        Recording(self, self.start("sh", "-c", "exit 7")).to_the_end()
        request = pb.ExecWaitRequest(**self.names())
        info = self.connect().call("ExecWait", request).info
        self.assertEqual(info.state, pb.EXEC_STATE_EXITED)
        self.assertEqual(info.exit.code, 7)

    def test_wait_ends_with_the_exit(self):
        stream = self.start("sh", "-c", "read line; exit 4", stdin=True)
        Recording(self, stream)
        now = self.connection.call("ExecWait", pb.ExecWaitRequest(**self.names())).info
        self.assertEqual(now.state, pb.EXEC_STATE_RUNNING)
        self.assertFalse(now.HasField("exit"))
        request = pb.ExecWaitRequest(**self.names(), timeout_ms=TIMEOUT * 1000)
        waiting = self.connection.open("ExecWait", request.SerializeToString())
        stream.half_close()
        info = self.connection.result(waiting, pb.ExecWaitResponse).info
        self.assertEqual(info.exit.code, 4)

    def test_wait_for_what_is_not_there_is_not_found(self):
        request = pb.ExecWaitRequest(**self.names())
        self.assert_fails(NOT_FOUND, self.connection.call, "ExecWait", request)

    def test_list_tells_what_runs_and_what_has_exited(self):
        self.start_sleeper("sleeper")
        Recording(self, self.start("true", exec_id="done", labels={"kind": "short"})).to_the_end()
        self.assertEqual(self.list(), {"sleeper", "done"})
        self.assertEqual(self.list(running_only=True), {"sleeper"})
        self.assertEqual(self.list(labels={"kind": "short"}), {"done"})

    def list(self, **filters):
        request = pb.ExecListRequest(container_id=self.container, **filters)
        return {info.exec_id for info in self.connection.call("ExecList", request).execs}

    def test_stop_ends_it_politely(self):
        session = self.start_sleeper()
        request = pb.ExecStopRequest(**self.names())
        info = self.connection.call("ExecStop", request).info
        self.assertEqual(info.state, pb.EXEC_STATE_EXITED)
        self.assertEqual(info.exit.code, 128 + signal.SIGTERM)
        self.assertEqual(info.exit.signal, signal.SIGTERM)
        self.assertEqual(info.exit.reason, pb.EXIT_REASON_SIGNAL)
        self.assertEqual(info.exit.cause, pb.STOP_CAUSE_CLIENT)
        self.assertEqual(session.to_the_end().exit, info.exit)

    def test_stop_kills_what_ignores_it(self):
        script = "trap '' TERM; echo deaf; exec sleep 600"
        session = Recording(self, self.start("sh", "-c", script))
        session.until(b"deaf\n")
        request = pb.ExecStopRequest(**self.names(), grace_ms=50)
        info = self.connection.call("ExecStop", request).info
        self.assertEqual(info.exit.code, 128 + signal.SIGKILL)
        self.assertEqual(info.exit.reason, pb.EXIT_REASON_FORCED_KILL)
        self.assertEqual(info.exit.cause, pb.STOP_CAUSE_CLIENT)

    def test_a_signal_reaches_it(self):
        session = Recording(self, self.start("sleep", "600"))
        number = pb.Signal(number=signal.SIGUSR1)
        request = pb.ExecSignalRequest(**self.names(), signal=number)
        self.connection.call("ExecSignal", request)
        self.assertEqual(session.to_the_end().exit.signal, signal.SIGUSR1)
        self.assertEqual(session.exit.code, 128 + signal.SIGUSR1)
        self.assertEqual(session.exit.reason, pb.EXIT_REASON_SIGNAL)

    def test_remove_forgets_it(self):
        Recording(self, self.start("true")).to_the_end()
        self.connection.call("ExecRemove", pb.ExecRemoveRequest(**self.names()))
        request = pb.ExecWaitRequest(**self.names())
        self.assert_fails(NOT_FOUND, self.connection.call, "ExecWait", request)


class ContainerTests(InteropTest):
    def status(self):
        request = pb.ContainerStatusRequest(container_id=self.container)
        return self.connection.call("ContainerStatus", request)

    def test_status_follows_its_execs(self):
        stream = self.start("sh", "-c", "read line; exit 6", stdin=True)
        session = Recording(self, stream)
        running = self.status()
        self.assertEqual(running.status, pb.CONTAINER_STATE_RUNNING)
        self.assertEqual([info.exec_id for info in running.execs], ["e"])
        stream.half_close()
        session.to_the_end()
        exited = self.status()
        self.assertEqual(exited.status, pb.CONTAINER_STATE_EXITED)
        self.assertEqual(exited.exit, session.exit)

    def test_lifecycle_tells_what_happens_in_order(self):
        Event = pb.ContainerLifecycleEvent
        request = pb.ContainerLifecycleRequest(container_id=self.container)
        events = self.connection.call_for_stream("ContainerLifecycle", request)
        Recording(self, self.start("sh", "-c", "exit 7")).to_the_end()
        seen = events_to_exit(events)
        kinds = [event.kind for event in seen]
        main = [Event.KIND_REGISTERED, Event.KIND_STARTED, Event.KIND_EXITED]
        self.assertEqual([kind for kind in kinds if kind in main], main)
        self.assertEqual({event.exec_id for event in seen}, {"e"})
        self.assertEqual(seen[-1].info.exit.code, 7)
        sequences = [event.sequence for event in seen]
        self.assertEqual(sequences, sorted(set(sequences)))

        again = pb.ContainerLifecycleRequest(
            container_id=self.container, after_sequence=seen[0].sequence
        )
        resumed = self.connect().call_for_stream("ContainerLifecycle", again)
        self.assertEqual(events_to_exit(resumed), seen[1:])


class PublishTests(InteropTest):
    def publish(self):
        stream = self.connection.call_with_stream("Publish")
        register = pb.Register(**self.names(), labels={"from": "interop"})
        stream.send(pb.PublishRequest(register=register))
        return stream

    def test_what_is_published_is_seen_by_viewers(self):
        publisher = self.publish()
        viewer = Recording(self, self.attach())
        self.assertTrue(viewer.ready.info.published)
        publisher.send(pb.PublishRequest(stdout=b"out"))
        publisher.send(pb.PublishRequest(stderr=b"err"))
        viewer.until(b"out")
        publisher.send(pb.PublishRequest(exit=pb.PublishedExit(code=5)))
        answer = publisher.result()
        self.assertEqual(answer.exit.code, 5)
        late = Recording(self, self.attach())
        for each in (viewer, late):
            each.to_the_end().check_complete()
            self.assertEqual(each.bytes("stdout"), b"out")
            self.assertEqual(each.bytes("stderr"), b"err")
            self.assertEqual(each.exit, answer.exit)

    def test_a_publisher_that_tells_no_exit_is_a_runtime_error(self):
        publisher = self.publish()
        publisher.half_close()
        self.assertEqual(publisher.result().exit.reason, pb.EXIT_REASON_RUNTIME_ERROR)


class BadInputTests(InteropTest):
    JUNK = b"\xff\xff\xff\xff\x07"

    def test_an_unknown_method_or_service_is_unimplemented(self):
        stream = self.connection.open("Fly")
        failure = self.assert_fails(UNIMPLEMENTED, self.connection.result, stream, pb.HelloResponse)
        self.assertIn("Fly", failure.message)
        stream = self.connection.open("Session", service="other.Service")
        failure = self.assert_fails(UNIMPLEMENTED, self.connection.result, stream, pb.HelloResponse)
        self.assertIn("other.Service", failure.message)
        self.assert_alive()

    def test_a_request_that_does_not_parse_is_an_invalid_argument(self):
        self.connection.send(901, REQUEST, 0, self.JUNK)
        self.assert_fails(INVALID_ARGUMENT, self.connection.result, 901, pb.HelloResponse)
        self.assert_alive()

    def test_a_message_that_does_not_parse_is_an_invalid_argument_and_named(self):
        stream = self.connection.open("ExecWait", self.JUNK)
        result = self.connection.result
        failure = self.assert_fails(INVALID_ARGUMENT, result, stream, pb.ExecWaitResponse)
        self.assertIn("ExecWaitRequest", failure.message)
        session = self.connection.call_with_stream("Session")
        self.connection.send(session.stream, DATA, 0, self.JUNK)
        self.assert_fails(INVALID_ARGUMENT, next, session)
        self.assert_alive()

    def test_an_even_id_is_an_invalid_argument(self):
        for stream in (0, 2):
            self.connection.open("ExecList", stream=stream)
            result = self.connection.result
            self.assert_fails(INVALID_ARGUMENT, result, stream, pb.ExecListResponse)
        self.assert_alive()

    def test_an_id_that_is_in_use_is_refused_and_its_call_goes_on(self):
        stream = self.start("sh", "-c", "read line; echo $line", stdin=True)
        session = Recording(self, stream)
        self.connection.open("ExecList", stream=stream.stream)
        self.assert_fails(INVALID_ARGUMENT, session.next)
        stream.send(pb.SessionRequest(stdin=b"still here\n"))
        self.assertEqual(session.to_the_end().bytes("stdout"), b"still here\n")

    def test_data_for_no_stream_is_an_invalid_argument(self):
        self.connection.send(903, DATA, 0, b"")
        self.assert_fails(INVALID_ARGUMENT, self.connection.result, 903, pb.HelloResponse)
        self.assert_alive()

    def test_an_ok_answer_with_an_empty_message_may_be_an_empty_frame(self):
        request = pb.ExecListRequest(container_id=self.container)
        stream = self.connection.open("ExecList", request.SerializeToString())
        frame = self.connection.receive(stream)
        self.assertEqual((frame.type, frame.flags), (RESPONSE, 0))

    def test_another_protocol_is_cut_off(self):
        with Connection(self.server.tcp) as connection:
            connection.send_bytes(b"GET / HTTP/1.1\r\n\r\n")
            with self.assertRaises((Closed, ConnectionResetError)):
                connection.receive(1)


class ShutdownTests(InteropTest):
    """With a server for each test, which ends it."""

    def setUp(self):
        self.server = TemporaryServing(tcp=True)
        self.addCleanup(self.server.kill)
        super().setUp()

    def test_sigterm_stops_what_runs_tells_its_viewers_and_ends_with_0(self):
        session = Recording(self, self.start("sh", "-c", "echo up; exec sleep 600"))
        session.until(b"up\n")
        self.server.process.send_signal(signal.SIGTERM)
        session.to_the_end().check_complete()
        self.assertEqual(session.exit.signal, signal.SIGTERM)
        self.assertEqual(session.exit.cause, pb.STOP_CAUSE_SHUTDOWN)
        with self.assertRaises((Closed, ConnectionResetError)):
            self.connection.receive(1)
        self.assertEqual(self.server.ended(), 0, self.server.said)


def events_to_exit(events):
    seen = []
    for event in events:
        seen.append(event)
        if event.kind == pb.ContainerLifecycleEvent.KIND_EXITED:
            return seen
    raise AssertionError("the events ended")


def lines_up_to(count):
    return "".join(f"{number}\n" for number in range(1, count + 1)).encode()


if __name__ == "__main__":
    unittest.main()
