"""Unary calls, containers and published execs, by a foreign client."""

import signal
import unittest

import exec_pb2 as pb
from interop_case import NOT_FOUND, InteropTest, Recording
from ttrpc_client import TIMEOUT


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


def events_to_exit(events):
    seen = []
    for event in events:
        seen.append(event)
        if event.kind == pb.ContainerLifecycleEvent.KIND_EXITED:
            return seen
    raise AssertionError("the events ended")


if __name__ == "__main__":
    unittest.main()
