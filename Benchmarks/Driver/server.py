"""The server that is measured: the built program, as a process of its own."""

import subprocess

from client import Client
from processes import Process


class Server(Process):
    """`execstream serve` on a Unix socket and a TCP port, with a state of its own."""

    def __init__(self, program, directory):
        state = directory / "state"
        self.path = f"{directory}/socket"
        super().__init__(
            [program, "serve", "--listen", f"unix:{self.path}", "--listen", "tcp:127.0.0.1:0",
             "--state", state],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        self.unix = self.expect("listening on ", self.popen.stderr)
        self.tcp = self.expect("listening on ", self.popen.stderr)
        self.expect("ready", self.popen.stderr)
        self.token = (state / "token").read_text().strip()
        self._clients = []

    def client(self):
        client = Client(self.path)
        self._clients.append(client)
        return client

    def stop(self):
        for client in self._clients:
            client.close()
        super().stop()
