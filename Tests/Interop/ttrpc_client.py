"""A small synchronous ttrpc client, written from PROTOCOL.md and Google's protobuf alone, so that
it shares no line with the server it tests. Frames are its lowest floor: a test may also say
something that no client should.

Every wait on the socket ends after `TIMEOUT` seconds with `TimeoutError`.
"""

import collections
import socket
import struct

import exec_pb2
import ttrpc_pb2

SERVICE = "execstream.v1.Exec"
TIMEOUT = 20

REQUEST, RESPONSE, DATA = 1, 2, 3
REMOTE_CLOSED, REMOTE_OPEN, NO_DATA = 1, 2, 4
END = REMOTE_CLOSED | NO_DATA

HEADER = struct.Struct(">IIBB")  # length of the payload, stream, type, flags

Frame = collections.namedtuple("Frame", "stream type flags payload")

METHODS = exec_pb2.DESCRIPTOR.services_by_name["Exec"].methods_by_name


class Failed(Exception):
    """A call ended with a status other than OK."""

    def __init__(self, status):
        super().__init__(f"status {status.code}: {status.message}")
        self.code = status.code
        self.message = status.message


class Closed(Exception):
    """The server closed the connection."""


class Connection:
    """One connection, and any number of calls on it at once. For one thread."""

    def __init__(self, address, over=None):
        """By a socket that is connected already, where one is given."""
        kind, _, rest = address.partition(":")
        if over:
            self._socket = over
        elif kind == "unix":
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(TIMEOUT)
            try:
                self._socket.connect(rest)
            except OSError:
                self._socket.close()
                raise
        else:
            host, _, port = rest.rpartition(":")
            self._socket = socket.create_connection((host, int(port)), timeout=TIMEOUT)
        self._arrived = collections.defaultdict(collections.deque)  # by stream
        self._next_stream = 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    # Frames

    def send_bytes(self, data):
        self._socket.sendall(data)

    def send(self, stream, kind, flags=0, payload=b""):
        self.send_bytes(HEADER.pack(len(payload), stream, kind, flags) + payload)

    def receive(self, stream):
        """The next frame of one stream; those of others are kept for whoever asks for them."""
        while not self._arrived[stream]:
            frame = self._read_frame()
            self._arrived[frame.stream].append(frame)
        return self._arrived[stream].popleft()

    def arrived(self, stream):
        """How many frames of a stream were read and not received yet."""
        return len(self._arrived[stream])

    def _read_frame(self):
        length, stream, kind, flags = HEADER.unpack(self._read(HEADER.size))
        return Frame(stream, kind, flags, self._read(length))

    def _read(self, count):
        data = bytearray()
        while len(data) < count:
            piece = self._socket.recv(count - len(data))
            if not piece:
                raise Closed
            data += piece
        return bytes(data)

    # Calls

    def open(self, method, payload=b"", flags=0, *, stream=None, service=SERVICE, metadata=()):
        """Sends a Request, and answers the id of its stream."""
        if stream is None:
            stream = self._next_stream
            self._next_stream += 2
        request = ttrpc_pb2.Request(service=service, method=method, payload=payload)
        for key, value in metadata:
            request.metadata.add(key=key, value=value)
        self.send(stream, REQUEST, flags, request.SerializeToString())
        return stream

    def result(self, stream, response_type):
        """What a Response frame says; raises `Failed` where that is no OK."""
        return parse_response(self.receive(stream), response_type)

    def call(self, method, request, **options):
        """A unary call."""
        stream = self.open(method, request.SerializeToString(), **options)
        return self.result(stream, response_type(method))

    def call_with_stream(self, method):
        """A call whose messages are still to be sent: a Session or a Publish."""
        return Stream(self, self.open(method, flags=REMOTE_OPEN), response_type(method))

    def call_for_stream(self, method, request):
        """A call of one message that is answered with many."""
        stream = self.open(method, request.SerializeToString(), REMOTE_CLOSED)
        return Stream(self, stream, response_type(method))


class Stream:
    """One open call. Iterate over it for the messages that come."""

    def __init__(self, connection, stream, message_type):
        self.connection = connection
        self.stream = stream
        self._type = message_type

    def send(self, message):
        self.connection.send(self.stream, DATA, 0, message.SerializeToString())

    def half_close(self):
        """Says that no more will be sent. Nothing else ends with that."""
        self.connection.send(self.stream, DATA, END)

    def result(self):
        """The one answer to a stream of messages."""
        return self.connection.result(self.stream, self._type)

    def __iter__(self):
        return self

    def __next__(self):
        frame = self.connection.receive(self.stream)
        if frame.type == RESPONSE:
            parse_response(frame, self._type)
            raise AssertionError("a stream of messages ended with an OK Response")
        assert frame.type == DATA, frame
        if frame.flags & REMOTE_CLOSED:
            # A message in the last frame is what some clients take for an error.
            assert frame.flags == END and not frame.payload, frame
            raise StopIteration
        return self._type.FromString(frame.payload)


def response_type(method):
    return getattr(exec_pb2, METHODS[method].output_type.name)


def parse_response(frame, message_type):
    assert frame.type == RESPONSE, frame
    response = ttrpc_pb2.Response.FromString(frame.payload)
    if response.status.code != 0:
        raise Failed(response.status)
    return message_type.FromString(response.payload)
