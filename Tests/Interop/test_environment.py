"""What the server's environment is for: a service manager is told, and commands don't inherit it."""

import os
import socket
import tempfile
import unittest

from conversations import start
from serving import Serving
from ttrpc_client import TIMEOUT

OWN = {
    "EXECSTREAM_TOKEN": "own-token",
    "EXECSTREAM_ADDRESS": "unix:/own/address",
    "EXECSTREAM_EXEC_ID": "own-exec",
    "EXECSTREAM_TLS": "own-tls",
    "EXECSTREAM_TLS_CA": "/own/ca",
    "EXECSTREAM_TLS_KEY": "/own/key",
}


class EnvironmentTests(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="execstream-environment-")
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        path = os.path.join(self.directory, "manager")
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.manager.close)
        self.manager.bind(path)
        self.manager.settimeout(TIMEOUT)
        self.server = Serving(
            self.directory, environment={**OWN, "NOTIFY_SOCKET": path, "ANYTHING_ELSE": "shared"})
        self.server.start()
        self.addCleanup(self.server.kill)

    def test_a_service_manager_is_told_of_the_start_and_the_end(self):
        self.assertEqual(self.manager.recv(999), b"READY=1")
        self.assertEqual(self.server.stop(), 0)
        self.assertEqual(self.manager.recv(999), b"STOPPING=1")

    def test_commands_inherit_all_but_what_is_the_servers_own(self):
        names = {"container_id": "c", "exec_id": "e"}
        with self.server.connect() as connection:
            stream = start(connection, names, ["/usr/bin/env"])
            output = b"".join(message.output.stdout for message in stream)
        inherited = dict(line.split("=", 1) for line in output.decode().splitlines())
        self.assertEqual(inherited["ANYTHING_ELSE"], "shared")
        self.assertNotIn("NOTIFY_SOCKET", inherited)
        for name, value in OWN.items():
            self.assertNotEqual(inherited.get(name), value, name)


if __name__ == "__main__":
    unittest.main()
