"""A running server, and clients that ask it all the time."""

import threading
from contextlib import contextmanager, suppress

import httpx2
import psutil
from waiting import BOUND_S

from serving.answers import KINDS
from serving.client import FleetcastClient

SYMBOLS = ["AAA", "BBB", "CCC", "DDD", "EEE"]


def living(processes, name=""):
    """Yield the running processes with this in their name; any may exit at any moment."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if name in process.name() and process.status() != psutil.STATUS_ZOMBIE:
                yield process


class Server:
    """A running server, its store, an API key and the lines that it printed."""

    def __init__(self, process, url, store, key, keys, lines):
        self.process, self.url, self.store, self.lines = process, url, store, lines
        self.key, self.keys = key, keys

    def client(self, **options):
        return FleetcastClient(self.url, key=self.key, **options)

    def replicas(self):
        family = psutil.Process(self.process.pid).children(recursive=True)
        return list(living(family, "ServeRepl"))


@contextmanager
def constant_load(server, clients=4):
    """Send requests all the time, and yield the outcomes: each answer's status, or the error's name, and versions."""
    outcomes, stop = [], threading.Event()

    def ask():
        headers = {"Authorization": f"Bearer {server.key}"}
        with httpx2.Client(base_url=server.url, headers=headers, timeout=BOUND_S) as http:
            while not stop.is_set():
                try:
                    answer = http.post("/v1/predictions", json={"symbols": SYMBOLS})
                except httpx2.TransportError as error:
                    outcomes.append((type(error).__name__, ()))
                    continue
                outcomes.append((answer.status_code, versions_in(answer)))

    def versions_in(answer):
        if answer.status_code != 200:
            return ()
        body = answer.json()
        assert all(item["error"] is None for item in body["predictions"])
        return {(kind, item[kind]["version"]) for item in body["predictions"] for kind in KINDS}

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield outcomes
    finally:
        stop.set()
        for thread in threads:
            thread.join()
