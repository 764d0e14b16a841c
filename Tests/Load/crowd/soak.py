"""What the clients of a soak share: the server, when it is over, what was counted and what was wrong."""

import collections
import threading
import time
import traceback

import exec_pb2 as pb
from ttrpc_client import Failed

RESOURCE_EXHAUSTED = 8
WRONGS_MAX = 50


class Soak:
    def __init__(self, serving, seed):
        self.serving = serving
        self.seed = seed
        self.over = threading.Event()
        self.wrongs = []
        self.counts = collections.Counter()
        self._lock = threading.Lock()

    def count(self, name, number=1):
        with self._lock:
            self.counts[name] += number

    def wrong(self, what):
        with self._lock:
            self.counts["wrong"] += 1
            if len(self.wrongs) < WRONGS_MAX:
                self.wrongs.append(what)

    def pause(self, rng, seconds):
        """As a client that has something else to do; shorter where the soak is over."""
        self.over.wait(rng.uniform(0, seconds))

    def connect(self, rng):
        """Over the Unix socket or TCP, as it comes."""
        address = self.serving.tcp if rng.random() < 0.3 else None
        self.count("connections")
        return self.serving.connect(address)

    def start(self, connection, rng, start):
        """Opens a Session, and answers it with its Ready; tries again where the server is full."""
        deadline = time.monotonic() + 60
        while True:
            stream = connection.call_with_stream("Session")
            stream.send(pb.SessionRequest(start=start))
            try:
                return stream, next(stream).ready
            except Failed as failure:
                if failure.code != RESOURCE_EXHAUSTED or time.monotonic() > deadline:
                    raise
                self.count("starts refused for now")
                self.pause(rng, 0.5)


class Client(threading.Thread):
    """Does one thing after the other, drawn from `acts`, until the soak is over."""

    def __init__(self, soak, number, acts, rng):
        super().__init__(name=f"client {number}", daemon=True)
        self._soak = soak
        self._number = number
        self._acts = acts
        self._rng = rng

    def run(self):
        turn = 0
        while not self._soak.over.is_set():
            self.turn(self._rng.choice(self._acts), turn)
            turn += 1
            self._soak.pause(self._rng, 1)

    def turn(self, act, turn):
        soak = self._soak
        names = {"container_id": f"c{self._number}", "exec_id": f"{act.__name__}-{turn}"}
        try:
            act(soak, self._rng, names)
            soak.count(act.__name__)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            soak.wrong(
                f"{self.name}, {names['exec_id']}: {type(error).__name__} {error}"
                f" ({where.name}:{where.lineno})"
            )
