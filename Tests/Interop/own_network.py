"""A network that a test has for itself: one loopback interface, that can be switched off. Root only.

As a program it runs its arguments in a new one.
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys

COMMAND = (sys.executable, os.path.abspath(__file__))
CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS = 0x8913, 0x8914
IFF_UP = 1

_libc = ctypes.CDLL(None, use_errno=True)


def _check(answer):
    if answer != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def enter(pid):
    """The calling thread's sockets are in that process's network from now on."""
    with open(f"/proc/{pid}/ns/net", "rb") as network:
        _check(_libc.setns(network.fileno(), CLONE_NEWNET))


def set_loopback(*, up):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        request = struct.pack("16sh22x", b"lo", 0)
        flags = struct.unpack_from("16xh", fcntl.ioctl(handle, SIOCGIFFLAGS, request))[0]
        flags = flags | IFF_UP if up else flags & ~IFF_UP
        fcntl.ioctl(handle, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags))


def is_all_acknowledged(pid):
    """Whether nothing that was sent in that process's network is still on its way."""
    with open(f"/proc/{pid}/net/tcp", encoding="ascii") as sockets:
        queues = [line.split()[4] for line in sockets.readlines()[1:]]
    return all(queue.startswith("00000000:") for queue in queues)


if __name__ == "__main__":
    _check(_libc.unshare(CLONE_NEWNET))
    set_loopback(up=True)
    os.execvp(sys.argv[1], sys.argv[1:])
