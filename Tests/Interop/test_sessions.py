"""Sessions, with and without a terminal, by a foreign client."""

import signal
import unittest

import exec_pb2 as pb
from interop_case import FAILED_PRECONDITION, INVALID_ARGUMENT, InteropTest, Recording, lines_up_to


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

    def test_a_client_that_holds_64_messages_is_never_sent_more(self):
        publisher = self.connection.call_with_stream("Publish")
        publisher.send(pb.PublishRequest(register=pb.Register(**self.names())))
        viewer = self.attach(window_chunks=61)
        for _ in range(1_000):
            publisher.send(pb.PublishRequest(stdout=b"x"))
        taken, ended = 0, False
        while not ended:
            # Answers to calls go before streams: what the stream had when the first call came is there
            # when the second is answered.
            for _ in range(2):
                self.connection.call("ExecList", pb.ExecListRequest(container_id="nobody"))
            held = self.connection.arrived(viewer.stream)
            self.assertLessEqual(held, 64)
            if taken == 0:
                publisher.send(pb.PublishRequest(exit=pb.PublishedExit(code=3)))
            count = 0
            for _ in range(held):
                message = next(viewer, None)
                if message is None:
                    ended = True
                    break
                taken += len(message.output.stdout)
                if message.WhichOneof("msg") == "exit":
                    self.assertEqual(message.exit.code, 3)
                elif message.WhichOneof("msg") != "ready":
                    count += 1
            viewer.send(pb.SessionRequest(credit=pb.Credit(chunks=count)))
        self.assertEqual(taken, 1_000)

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


if __name__ == "__main__":
    unittest.main()
