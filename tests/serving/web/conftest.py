"""A real HTTP server around the shared engine, and a browser that looks at it."""

import base64
import json
import shutil
import subprocess
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

import pytest
from sqlalchemy import update
from waiting import BOUND_S, wait_until
from websockets.sync.client import connect

from configs.load import load_config
from configs.operation import ServeConfig
from features.store.lake import Lake
from features.store.store import Store
from serving import MLPredictionBot
from serving.bot.catalog import catalog
from serving.bot.leader import lease_name
from serving.journal import Journal, open_journal
from serving.journal.leases import acquire
from serving.journal.schema import predictions
from serving.monitoring.monitor import Monitor
from serving.web.api import build_api
from serving.web.live_bots import LiveBots
from serving.web.live_monitoring import LiveMonitoring
from serving.web.prediction_service import EngineService

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_TIMEOUT_S = BOUND_S
_KEYS = {"Tab": 9, "Enter": 13, "End": 35, "Home": 36, "ArrowUp": 38, "ArrowDown": 40}


class Browser:
    """One tab of headless Chromium, by its DevTools protocol; ``errors`` are the exceptions of its scripts."""

    def __init__(self, profile: Path) -> None:
        arguments = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
        self._process = subprocess.Popen(
            [CHROMIUM, *arguments, "--remote-debugging-port=0", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        port_file = profile / "DevToolsActivePort"
        wait_until(lambda: port_file.exists() and port_file.read_text().count("\n"))
        with urlopen(f"http://127.0.0.1:{port_file.read_text().split()[0]}/json/list") as answer:
            (tab,) = (tab for tab in json.load(answer) if tab["type"] == "page")
        self._end = ExitStack()
        self._socket = self._end.enter_context(
            connect(tab["webSocketDebuggerUrl"], max_size=None, compression=None, open_timeout=BOUND_S)
        )
        self._number = 0
        self.errors: list[str] = []
        self._call("Page.enable")
        self._call("Runtime.enable")

    def open(self, url: str, ready: str, width: int = 1200, dark: bool = False) -> None:
        """Open a page and wait until the expression ``ready`` is true in it."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 600}
        self._call("Emulation.setDeviceMetricsOverride", **size)
        self.errors.clear()
        self._call("Page.navigate", url="about:blank")  # else the new expression may be true of the old page
        self._call("Page.navigate", url=url)
        wait_until(lambda: self.value(f"location.href !== 'about:blank' && document.body && Boolean({ready})"))

    def value(self, expression: str):
        """Return the value of a JavaScript expression."""
        found = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release a key, such as Tab."""
        text = {"text": "\r"} if key == "Enter" else {}
        for action in ("keyDown" if text else "rawKeyDown", "keyUp"):
            code = {"key": key, "code": key, "windowsVirtualKeyCode": _KEYS[key]}
            self._call("Input.dispatchKeyEvent", type=action, **code, **text)

    def screenshot(self, file: Path) -> None:
        """Write the whole page as a PNG."""
        data = self._call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        file.write_bytes(base64.b64decode(data))

    def close(self) -> None:
        """End the browser."""
        self._end.close()
        self._process.terminate()
        self._process.wait(BOUND_S)

    def _call(self, method: str, **parameters):
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=_TIMEOUT_S))
            if message.get("method") == "Runtime.exceptionThrown":
                self.errors.append(str(message["params"]["exceptionDetails"]))
            if message.get("id") == self._number:
                assert "error" not in message, message
                return message["result"]


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """One tab that the tests of a process share."""
    if CHROMIUM is None:
        pytest.skip("needs chromium")
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def url(engine, start_server):
    """The URL of a server without API keys."""
    return start_server(build_api(EngineService(engine, 512), ServeConfig()))


class Desk(NamedTuple):
    """A journal in which a bot has worked, and the time at which it is looked at."""

    url: str
    now: datetime

    def bots(self, **later: float) -> LiveBots:
        """Return what a server reads of it, at a later time; nothing is remembered between requests."""
        return LiveBots(self.open, lambda: self.now + timedelta(**later), fresh_s=0.0)

    def monitoring(self) -> LiveMonitoring:
        """Return what a server reads of its skill."""
        return LiveMonitoring(lambda: Monitor(self.open()))

    def open(self) -> Journal:
        """Open the journal."""
        return open_journal(self.url, create=False)


@pytest.fixture(scope="session")
def desk(trained_store, bars_of, tmp_path_factory):
    """Five daily steps of a bot on a lake that grows, one symbol without bars; its lease is taken."""
    folder = tmp_path_factory.mktemp("desk")
    store = Store(shutil.copytree(trained_store, folder / "store"))
    times = [bars_of("AAA", count).dates[-1].astype("datetime64[us]").item() for count in range(480, 486)]
    now = times[0].replace(tzinfo=UTC) + timedelta(days=1)
    config = load_config("smoke", overrides=["strategy.name=volatility_target", "bot.wait_s=0"])
    desk = Desk(f"sqlite:///{folder / 'journal.db'}", now)
    with MLPredictionBot(config=config, store=store, database=desk.url, clock=lambda: desk.now) as bot:
        tasks = [spec for name, spec in catalog().items() if name in ("scan", "outcomes", "monitoring", "heartbeat")]
        for count, date in zip(range(480, 486), times, strict=True):
            for symbol in ("AAA", "BBB", "CCC", "EEE", *(["DDD"] if count < 482 else [])):
                Lake(store).append(bars_of(symbol, count))
            desk = desk._replace(now=date.replace(tzinfo=UTC) + timedelta(days=1))
            bot.run_once(tasks[:1])
        with bot.journal.begin() as connection:
            connection.execute(update(predictions).values(made_at=predictions.c.bar_close))  # not years later
        bot.run_once(tasks[1:])
    with desk.open() as journal:
        assert acquire(journal, lease_name("paper"), term_s=3600.0, clock=lambda: desk.now) is not None
    return desk
