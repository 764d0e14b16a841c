"""A server that says what it likes, and keeps what clients send it. One thread a connection."""

import socket
import threading

import exec_pb2 as pb
import ttrpc_pb2
from ttrpc_client import DATA, END, HEADER, NO_DATA, REQUEST, RESPONSE

ACCEPT_SECONDS_MAX = 120


class HostileServer:
    """Listens on a socket of the caller's, which may be another user's.

    `answer` is given a method, its request or message, and the peer, and sends what it likes by it;
    without one, every call fails with the status NOT_FOUND.
    """

    def __init__(self, listener, answer=None, hello=None, says_hello=True):
        self._listener = listener
        self._answer = answer or (lambda method, message, peer: peer.fail(5, "no"))
        self._hello = hello or pb.HelloResponse(server="hostile/1", protocol=1)
        self._says_hello = says_hello
        self.received = bytearray()  # all that any client has sent
        self.tokens = []
        self._peers = []
        listener.settimeout(ACCEPT_SECONDS_MAX)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def address(self):
        name = self._listener.getsockname()
        return f"unix:{name}" if isinstance(name, str) else f"tcp:{name[0]}:{name[1]}"

    def close(self):
        # Wakes the thread that accepts, which closing alone does not.
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        self._thread.join()
        for peer in self._peers:
            peer.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            peer = Peer(self, connection)
            self._peers.append(peer)
            threading.Thread(target=peer.serve, daemon=True).start()


class Peer:
    """One client's connection."""

    def __init__(self, server, connection):
        self._server = server
        self._socket = connection
        self._methods = {}  # by stream
        self.stream = 0  # of the newest message

    def close(self):
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def serve(self):
        try:
            while True:
                length, stream, kind, flags = HEADER.unpack(self._read(HEADER.size))
                self._take(stream, kind, flags, self._read(length))
        except (OSError, EOFError):
            pass
        finally:
            self._socket.close()

    def _read(self, count):
        data = bytearray()
        while len(data) < count:
            piece = self._socket.recv(count - len(data))
            if not piece:
                raise EOFError
            self._server.received += piece
            data += piece
        return bytes(data)

    def _take(self, stream, kind, flags, payload):
        server, self.stream = self._server, stream
        if kind != REQUEST:
            if not flags & NO_DATA:
                server._answer(self._methods[stream], payload, self)
            return
        request = ttrpc_pb2.Request.FromString(payload)
        self._methods[stream] = request.method
        if request.method == "Hello":
            server.tokens.append(pb.HelloRequest.FromString(request.payload).token)
            if server._says_hello:
                self.respond(server._hello)
        elif request.method not in ("Session", "Publish"):
            server._answer(request.method, request.payload, self)

    # What it may say; each about the newest message

    def send(self, message):
        self.frame(DATA, 0, message.SerializeToString())

    def end(self):
        self.frame(DATA, END)

    def respond(self, message):
        response = ttrpc_pb2.Response(payload=message.SerializeToString())
        self.frame(RESPONSE, 0, response.SerializeToString())

    def fail(self, code, text):
        response = ttrpc_pb2.Response()
        response.status.code, response.status.message = code, text
        self.frame(RESPONSE, 0, response.SerializeToString())

    def frame(self, kind, flags, payload=b""):
        self._socket.sendall(HEADER.pack(len(payload), self.stream, kind, flags) + payload)
