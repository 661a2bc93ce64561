"""A client of a Fleetcast server, for notebooks and trading processes. It does not import TensorFlow or Ray."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlsplit

import httpx2
from pydantic import TypeAdapter

from configs.errors import ConfigError, FleetcastError, require, shown
from configs.safe_json import parse_json
from configs.values import Kind
from serving.answers import Prediction
from serving.frames import Predictions

if TYPE_CHECKING:
    from features.any_bars import AnyBars

_PREDICTIONS = TypeAdapter(list[Prediction])
_RETRIED = frozenset({429, 502, 503, 504})
_MAX_WAIT_S = 30.0


class ServerError(FleetcastError):
    """The server refused a request or could not be reached; ``status`` is the HTTP status, 0 without a response."""

    def __init__(self, message: str, status: int = 0, code: str = "") -> None:
        super().__init__(message)
        self.status, self.code = status, code


class FleetcastClient:
    """Requests forecasts from a server; retries when it is busy (429, 503) or cannot be reached.

    Parameters
    ----------
    url
        The server's URL; without a scheme, such as ``127.0.0.1:8000``, http.
    key
        An API key; by default the environment's ``FLEETCAST_API_KEY``.
    timeout_s
        Timeout of one attempt.
    retries
        Attempts after the first one, each after 0.5, 1, 2 … s or the server's ``Retry-After``, at most 30 s.
    sleep
        Function that waits for a number of seconds.

    Examples
    --------
    >>> client = FleetcastClient("http://127.0.0.1:8000", retries=0)
    >>> client.url
    'http://127.0.0.1:8000'
    >>> client.close()
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        key: str | None = None,
        timeout_s: float = 35.0,
        retries: int = 4,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url, self.retries = _url(url), retries
        key = os.environ.get("FLEETCAST_API_KEY") if key is None else key
        if key is not None and not key.isascii():
            raise ServerError(
                "the API key has a character that no key has. Give it as `fleetcast keys add` printed it."
            )
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx2.Client(base_url=self.url, headers=headers, timeout=timeout_s)
        self._sleep = sleep

    def predict(
        self,
        symbols: Sequence[str] | str | None = None,
        types: Sequence[Kind] | Kind | None = None,
        bars: AnyBars | None = None,
    ) -> Predictions[Prediction]:
        """Return one prediction per symbol, in the order requested; one with an ``error`` lacks a forecast.

        Parameters
        ----------
        symbols
            Names; by default those of ``bars``.
        types
            ``direction``, ``volatility`` or both; by default all that are served.
        bars
            Bars to forecast from in place of the server's: frames or rows by symbol, or any other form; those that name
            no symbol are of the one in ``symbols``.

        Raises
        ------
        ServerError
            The server refuses the request, or cannot be reached in any attempt.
        ConfigError
            ``symbols`` or ``types`` are no names.
        DataError
            The bars cannot be read.
        """
        named = None if symbols is None else _names(symbols, "symbols", "names, such as ['AAPL', 'MSFT']")
        body: dict[str, Any] = {}
        if types is not None:
            body["types"] = _names(types, "types", "direction, volatility or both")
        if named is not None:
            body["symbols"] = named
        if bars is not None:
            body["bars"] = _rows(bars, named[0] if named is not None and len(named) == 1 else None)
        found = self._request("POST", "/v1/predictions", body)["predictions"]
        return Predictions(_PREDICTIONS.validate_python(found))

    def history(self, symbol: str, bars: int = 250) -> dict[str, Any]:
        """Return a symbol's last ``bars`` closes, and the forecasts made for them out of sample with their outcomes.

        ``dates`` and ``close`` are lists; ``direction`` and ``volatility``, None without a model, have their own lists.

        Raises
        ------
        ServerError
            There is no model of the symbol (status 404), or the server cannot be reached.
        """
        found: dict[str, Any] = self._request("GET", f"/v1/history/{quote(symbol, safe='')}?bars={bars}")
        return found

    def symbols(self) -> list[dict[str, Any]]:
        """Return the symbols that are served, with their kinds of model and newest bars."""
        found: list[dict[str, Any]] = self._request("GET", "/v1/symbols")
        return found

    def models(self) -> list[dict[str, Any]]:
        """Return the versions that are served, with their metrics on the untouched test period."""
        found: list[dict[str, Any]] = self._request("GET", "/v1/models")
        return found

    def stats(self) -> dict[str, Any]:
        """Return health and performance of the replica that answers."""
        found: dict[str, Any] = self._request("GET", "/v1/stats")
        return found

    def monitoring(self) -> dict[str, Any]:
        """Return live skill next to baselines and its alarms; the server needs a journal."""
        found: dict[str, Any] = self._request("GET", "/v1/monitoring")
        return found

    def bot(self) -> dict[str, Any]:
        """Return the trading bots: health, signals, positions, accounts and alerts; the server needs a journal."""
        found: dict[str, Any] = self._request("GET", "/v1/bot")
        return found

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        """Return the client; leaving the context closes it."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the connections."""
        self.close()

    def _request(self, method: str, path: str, body: Any = None) -> Any:
        for attempt in range(self.retries + 1):
            wait_s = 0.5 * 2.0**attempt
            try:
                response = self._http.request(method, path, json=body)
            except httpx2.TransportError as error:
                problem = ServerError(f"no server answers at {self.url} ({error}). Start one: fleetcast serve.")
            else:
                if response.is_success:
                    return _value_of(response)
                problem = _error_of(response)
                no_replica = response.status_code == 500 and not problem.code  # from the proxy, not the application
                if response.status_code not in _RETRIED and not no_replica:
                    raise problem
                wait_s = _seconds(response.headers.get("Retry-After"), wait_s)
            if attempt < self.retries:
                self._sleep(min(wait_s, _MAX_WAIT_S))
        raise problem


def _url(given: str) -> str:
    """Return a URL with its scheme; ``ConfigError`` if it is none."""
    require(given, str, "url", "a URL such as 'http://127.0.0.1:8000'")
    url = (given if "://" in given else f"http://{given}").strip().rstrip("/")
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise ConfigError(f"url is {shown(given)}; expected a URL such as 'http://127.0.0.1:8000'.")
    return url


def _names(given: Any, what: str, expected: str) -> list[str]:
    """Return one or several names as a list; ``ConfigError`` if they are no texts."""
    names = [given] if isinstance(given, str) else list(given) if isinstance(given, Iterable) else None
    if names is None or any(not isinstance(name, str) for name in names):
        raise ConfigError(f"{what} is {shown(given)}; expected {expected}.")
    return names


def _value_of(response: httpx2.Response) -> Any:
    try:
        return parse_json(response.content)
    except ValueError as error:
        raise ServerError(f"the answer is not JSON ({error}). Check that the address is that of a server.") from error


def _error_of(response: httpx2.Response) -> ServerError:
    try:
        error = parse_json(response.content)["error"]
        code, message = str(error["code"]), str(error["message"])
    except (ValueError, KeyError, TypeError):
        code, message = "", response.text.strip()[:200] or response.reason_phrase
    return ServerError(f"the server answers {response.status_code}: {message}", response.status_code, code)


def _seconds(header: str | None, default: float) -> float:
    try:
        return float(header) if header is not None else default
    except ValueError:
        return default


def _rows(given: AnyBars, symbol: str | None) -> dict[str, list[list[Any]]]:
    """Return by symbol bars as rows of a request body, which have no splits: date, open, high, low, close, volume."""
    from features.any_bars import read_bars, warn_of
    from features.bars.mending import adjusted_for_splits

    found, quarantine = read_bars(given, default_symbol=symbol or "SYMBOL", place="the bars")
    warn_of(quarantine, stacklevel=3)
    out = {}
    for bars in map(adjusted_for_splits, found):
        dates = bars.dates.astype("datetime64[s]").astype(str).tolist()
        values = [getattr(bars, name).tolist() for name in ("open", "high", "low", "close", "volume")]
        out[bars.symbol] = [list(row) for row in zip(dates, *values, strict=True)]
    return out
