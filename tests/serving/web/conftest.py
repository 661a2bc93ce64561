"""A real HTTP server around the shared engine."""

import threading
import time

import pytest
import uvicorn

from configs.operation import ServeConfig
from serving.web.api import build_api
from serving.web.prediction_service import EngineService


@pytest.fixture(scope="session")
def start_server():
    """Return a function that starts servers, ``start_server(application) -> URL``; they stop with the session."""
    running = []

    def start(application):
        server = uvicorn.Server(uvicorn.Config(application, port=0, log_level="warning", lifespan="on"))
        thread = threading.Thread(target=server.run)
        thread.start()
        running.append((server, thread))
        deadline = time.monotonic() + 20
        while not server.started:
            assert time.monotonic() < deadline and thread.is_alive()
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="session")
def url(engine, start_server):
    """The URL of a server without API keys."""
    return start_server(build_api(EngineService(engine, 512), ServeConfig()))
