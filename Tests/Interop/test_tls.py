"""What comes inside TLS and stays there: OpenSSL has it, and no event of the socket tells."""

import contextlib
import ssl
import subprocess
import tempfile
import unittest

import exec_pb2 as pb
from serving import Serving
from ttrpc_client import Closed, Connection

EXECS = 200
CALLS = 400


class TLSConnection(Connection):
    """A connection whose bytes go out when an answer is waited for, all at once."""

    def __init__(self, address, ca):
        super().__init__(address)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = ssl.create_default_context(cafile=ca).wrap_bio(
            self._incoming, self._outgoing, server_hostname="127.0.0.1")
        self._with_more(self._tls.do_handshake)

    def send_bytes(self, data):
        self._tls.write(data)

    def send_end(self):
        """Says that nothing more comes, and leaves the socket open."""
        with contextlib.suppress(ssl.SSLWantReadError):  # it would wait for the server's own end
            self._tls.unwrap()

    def _with_more(self, step):
        while True:
            try:
                return step()
            except ssl.SSLZeroReturnError:
                raise Closed from None
            except ssl.SSLWantReadError:
                self._socket.sendall(self._outgoing.read())
                data = self._socket.recv(1 << 16)
                if not data:
                    raise Closed
                self._incoming.write(data)

    def _read(self, count):
        data = bytearray()
        while len(data) < count:
            data += self._with_more(lambda: self._tls.read(count - len(data)))
        return bytes(data)


class TLSTests(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="execstream-tls-")
        self.addCleanup(directory.cleanup)
        self.certificate, key = f"{directory.name}/cert.pem", f"{directory.name}/key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "1", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1",
             "-keyout", key, "-out", self.certificate],
            check=True, capture_output=True, timeout=20)
        self.server = Serving(
            directory.name, tcp=True, options=["--tls-cert", self.certificate, "--tls-key", key])
        self.server.start()
        self.addCleanup(self.server.kill)

    def test_an_end_behind_calls_that_had_to_wait_is_seen(self):
        with self.server.connect() as connection:
            for number in range(EXECS):
                stream = connection.call_with_stream("Publish")
                stream.send(pb.PublishRequest(register=pb.Register(
                    container_id="many", exec_id=f"e{number}", labels={"text": "x" * 1000})))
                stream.send(pb.PublishRequest(exit=pb.PublishedExit()))
                stream.result()
        request = pb.ExecListRequest(container_id="many")
        with TLSConnection(self.server.tcp, self.certificate) as peer:
            peer.call("Hello", pb.HelloRequest(client="tls/1", token=self.server.token))
            # More answers than any socket holds: the server hears some of the calls, and puts off
            # the others, with the end behind them. Who has said that is owed no answer.
            for _ in range(CALLS):
                last = peer.open("ExecList", request.SerializeToString())
            peer.send_end()
            with self.assertRaises(Closed):
                peer.receive(last + 2)


if __name__ == "__main__":
    unittest.main()
