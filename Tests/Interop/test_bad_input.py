"""Frames and messages that break the protocol, by a foreign client."""

import unittest

import exec_pb2 as pb
from interop_case import INVALID_ARGUMENT, UNIMPLEMENTED, InteropTest, Recording
from ttrpc_client import DATA, REQUEST, RESPONSE, Closed, Connection


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


if __name__ == "__main__":
    unittest.main()
