"""What comes inside TLS and stays there: OpenSSL has it, and no event of the socket tells."""

import contextlib
import ctypes
import socket
import ssl
import subprocess
import tempfile
import unittest

import exec_pb2 as pb
from serving import Serving
from ttrpc_client import TIMEOUT, Closed, Connection

EXECS = 200
CALLS = 400
KEY_UPDATES = 20_000


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


class RekeyingPeer:
    """A peer that has shaken hands, and then changes its keys: by OpenSSL itself, since Python's own
    module can't."""

    def __init__(self, address):
        host, _, port = address.removeprefix("tcp:").rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=TIMEOUT)
        self._lib = lib = ctypes.CDLL("libssl.so.3")
        for name in ("TLS_client_method", "SSL_CTX_new", "SSL_new", "BIO_s_mem", "BIO_new"):
            getattr(lib, name).restype = ctypes.c_void_p
        self._context = ctypes.c_void_p(lib.SSL_CTX_new(ctypes.c_void_p(lib.TLS_client_method())))
        self._ssl = ctypes.c_void_p(lib.SSL_new(self._context))
        self._incoming, self._outgoing = (
            ctypes.c_void_p(lib.BIO_new(ctypes.c_void_p(lib.BIO_s_mem()))) for _ in range(2))
        lib.SSL_set_bio(self._ssl, self._incoming, self._outgoing)
        while lib.SSL_connect(self._ssl) != 1:
            self._send()
            data = self.socket.recv(1 << 16)
            lib.BIO_write(self._incoming, data, len(data))
        self._send()

    def _send(self):
        buffer = ctypes.create_string_buffer(1 << 16)
        while (count := self._lib.BIO_read(self._outgoing, buffer, len(buffer))) > 0:
            self.socket.sendall(buffer.raw[:count])

    def change_keys(self, times):
        """Asks for nothing in return, and sends it all at once."""
        for _ in range(times):
            self._lib.SSL_key_update(self._ssl, 0)
            self._lib.SSL_do_handshake(self._ssl)
        with contextlib.suppress(ConnectionError):  # the server has had enough
            self._send()

    def close(self):
        self.socket.close()
        self._lib.SSL_free(self._ssl)
        self._lib.SSL_CTX_free(self._context)


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

    def test_a_stranger_that_does_nothing_but_change_its_keys_is_closed(self):
        peer = RekeyingPeer(self.server.tcp)
        self.addCleanup(peer.close)
        peer.change_keys(2)
        with self.server.connect() as honest:
            honest.call("ExecList", pb.ExecListRequest())
        peer.change_keys(KEY_UPDATES)
        with contextlib.suppress(ConnectionError):
            while peer.socket.recv(1 << 16):
                pass

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
