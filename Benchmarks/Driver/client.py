"""A client for what is not measured: starts and registers execs. By hand, so that the benchmarks
need no protobuf; PROTOCOL.md has the frames and Proto/exec.proto the numbers.
"""

import socket
import struct

HEADER = struct.Struct(">IIBB")  # length of the payload, stream, type, flags
REQUEST, RESPONSE, DATA = 1, 2, 3
OPEN, END = 2, 5
TIMEOUT = 60


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def field(number, value):
    """One field: a number, a text, or the bytes of a message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def names(key):
    container, exec_id = key.split("/")
    return field(1, container) + field(2, exec_id)


class Client:
    """One connection to the server's Unix socket. For one thread."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(TIMEOUT)
        self._socket.connect(path)
        self._input = self._socket.makefile("rb")
        self._stream = -1

    def close(self):
        self._input.close()
        self._socket.close()

    def start(self, key, argv):
        """Starts an exec and lets it run without a viewer."""
        command = b"".join(field(1, str(word)) for word in argv)
        # Nothing is sent here but Ready: the window takes no more than one chunk.
        start = names(key) + field(3, command) + field(4, field(7, 1))
        stream = self._open("Session", field(1, start))
        self._await(stream, lambda kind, flags, payload: payload[:1] == b"\x0a")
        self._send(stream, DATA, 0, field(7, b""))
        self._await(stream, lambda kind, flags, payload: flags == END)

    def wait(self, key):
        """Returns when the exec has exited."""
        request = names(key) + field(3, TIMEOUT * 1000)
        self._await(self._open("ExecWait", request, 0), lambda kind, flags, payload: True)

    def register(self, key):
        """Registers an exec that is fed by this connection; returns its stream."""
        return self._open("Publish", field(1, names(key)))

    def finish(self, stream):
        """Ends a registered exec with code 0."""
        self._send(stream, DATA, 0, field(2, b""))
        self._await(stream, lambda kind, flags, payload: kind == RESPONSE)

    def settle(self):
        """Returns when all that was sent before has been handled."""
        self._await(self._open("Hello", b"", 0), lambda kind, flags, payload: True)

    def _open(self, method, payload, flags=OPEN):
        self._stream += 2
        request = field(1, "execstream.v1.Exec") + field(2, method) + field(3, payload)
        self._send(self._stream, REQUEST, flags, request)
        return self._stream

    def _send(self, stream, kind, flags, payload):
        self._socket.sendall(HEADER.pack(len(payload), stream, kind, flags) + payload)

    def _await(self, wanted, is_it):
        while True:
            length, stream, kind, flags = HEADER.unpack(self._input.read(HEADER.size))
            payload = self._input.read(length)
            if stream != wanted:
                continue
            if is_it(kind, flags, payload):
                return
            if kind == RESPONSE:
                raise RuntimeError(f"the server refuses: {payload}")
