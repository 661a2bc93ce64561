"""A client of a Fleetcast server, for notebooks and trading processes. Needs httpx2 and nothing of a model."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import httpx2
from pydantic import TypeAdapter

from configs.errors import FleetcastError
from configs.values import Kind
from serving.answers import KINDS, Prediction

if TYPE_CHECKING:
    import pandas as pd

    from features.bars.schema import SymbolBars

_PREDICTIONS = TypeAdapter(list[Prediction])
_AGAIN = frozenset({429, 502, 503, 504})
_LONGEST_S = 30.0


class ServerError(FleetcastError):
    """The server refused a request or could not be reached; ``status`` is the HTTP status, 0 without an answer."""

    def __init__(self, message: str, status: int = 0, code: str = "") -> None:
        super().__init__(message)
        self.status, self.code = status, code


class FleetcastClient:
    """Asks a server for forecasts; waits and asks again where it is busy (429, 503) or not reached.

    Parameters
    ----------
    url
        Where the server is.
    key
        An API key; by default the environment's ``FLEETCAST_API_KEY``.
    timeout_s
        For one attempt.
    retries
        Attempts after the first one, after 0.5, 1, 2 … s or what the server's ``Retry-After`` says, at most 30 s.
    sleep
        Waits for that many seconds.

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
        self.url, self.retries = url.rstrip("/"), retries
        key = os.environ.get("FLEETCAST_API_KEY") if key is None else key
        if key is not None and not key.isascii():
            raise ServerError(
                "the API key holds a character that no key has. Give it as `fleetcast keys add` printed it."
            )
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx2.Client(base_url=self.url, headers=headers, timeout=timeout_s)
        self._sleep = sleep

    def predict(
        self,
        symbols: Sequence[str] | None = None,
        types: Sequence[Kind] = KINDS,
        bars: Mapping[str, pd.DataFrame | SymbolBars] | None = None,
    ) -> list[Prediction]:
        """Return one prediction a symbol, in the order asked for; one that has an ``error`` lacks a forecast.

        Parameters
        ----------
        symbols
            Names; by default those of ``bars``.
        types
            ``direction``, ``volatility`` or both.
        bars
            By symbol, bars to forecast from in place of those that the server holds.

        Raises
        ------
        ServerError
            The server refuses the request, or is not reached after all retries.
        """
        body: dict[str, Any] = {"types": list(types)}
        if symbols is not None:
            body["symbols"] = list(symbols)
        if bars is not None:
            body["bars"] = {symbol: _rows(symbol, one) for symbol, one in bars.items()}
        answer = self._ask("POST", "/v1/predictions", body)
        return _PREDICTIONS.validate_python(answer["predictions"])

    def symbols(self) -> list[dict[str, Any]]:
        """Return the symbols that are served, with their kinds of model and newest bars."""
        found: list[dict[str, Any]] = self._ask("GET", "/v1/symbols")
        return found

    def models(self) -> list[dict[str, Any]]:
        """Return the versions that serve, with their figures on the untouched test period."""
        found: list[dict[str, Any]] = self._ask("GET", "/v1/models")
        return found

    def stats(self) -> dict[str, Any]:
        """Return health and performance of the replica that answers."""
        found: dict[str, Any] = self._ask("GET", "/v1/stats")
        return found

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        """Return the client; it is closed at the end."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the connections."""
        self.close()

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        for attempt in range(self.retries + 1):
            wait = 0.5 * 2.0**attempt
            try:
                answer = self._http.request(method, path, json=body)
            except httpx2.TransportError as error:
                problem = ServerError(f"no server answers at {self.url} ({error}). Start one: fleetcast serve.")
            else:
                if answer.is_success:
                    return answer.json()
                problem = _problem(answer)
                no_replica = answer.status_code == 500 and not problem.code  # the proxy's answer, not the application's
                if answer.status_code not in _AGAIN and not no_replica:
                    raise problem
                wait = _seconds(answer.headers.get("Retry-After"), wait)
            if attempt < self.retries:
                self._sleep(min(wait, _LONGEST_S))
        raise problem


def _problem(answer: httpx2.Response) -> ServerError:
    try:
        told = answer.json()["error"]
        code, message = str(told["code"]), str(told["message"])
    except (ValueError, KeyError, TypeError):
        code, message = "", answer.text.strip()[:200] or answer.reason_phrase
    return ServerError(f"the server answers {answer.status_code}: {message}", answer.status_code, code)


def _seconds(header: str | None, default: float) -> float:
    try:
        return float(header) if header is not None else default
    except ValueError:
        return default


def _rows(symbol: str, given: pd.DataFrame | SymbolBars) -> list[list[Any]]:
    from features.bars.schema import SymbolBars, bars_from_frame

    if isinstance(given, SymbolBars):
        bars = given
    else:
        (bars, *_), quarantine = bars_from_frame(given, symbol)
        if lost := sum(quarantine.lost().values()):
            told = f"{lost} rows of {symbol} break a rule and are not sent ({quarantine.summary()})"
            warnings.warn(told, stacklevel=4)
    dates = bars.dates.astype("datetime64[s]").astype(str).tolist()
    values = [getattr(bars, name).tolist() for name in ("open", "high", "low", "close", "volume")]
    return [list(row) for row in zip(dates, *values, strict=True)]
