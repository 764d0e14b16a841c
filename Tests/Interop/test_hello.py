"""Hello and the token, by a foreign client."""

import unittest

import exec_pb2 as pb
from interop_case import UNAUTHENTICATED, InteropTest
from ttrpc_client import Closed, Connection


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


if __name__ == "__main__":
    unittest.main()
