"""Calls of yfinance for collectors: repeated when Yahoo refuses them, with errors as those of other sources."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from features.alternative.fetch.http import Http, SourceError, backoff_s

_Result = TypeVar("_Result")


def collected(download: Callable[[Any], _Result], symbol: str, http: Http) -> _Result:
    """Return ``download(ticker)`` of yfinance's ticker of a symbol.

    Raises
    ------
    SourceError
        Yahoo refuses the requests, has nothing of the symbol, or does not answer.
    """
    import yfinance
    from yfinance.exceptions import YFException, YFRateLimitError

    yfinance.config.debug.hide_exceptions = False  # by default it returns nothing instead of raising
    for attempt in range(http.attempts):
        if attempt:
            http.sleep(backoff_s(attempt))
        try:
            return download(yfinance.Ticker(symbol))
        except YFRateLimitError as error:
            problem = SourceError(f"Yahoo accepts no more requests ({_line(error)}). Try again later.", stops=True)
        except YFException as error:
            raise SourceError(f"Yahoo has nothing of {symbol} ({_line(error)}). Check the name.") from error
        except (OSError, ValueError) as error:  # of the network, or half an answer
            reason = _line(error)
            problem = SourceError(f"Yahoo did not answer ({reason}). Check the network.", is_answered=False)
    raise problem


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160].rstrip(".") or type(error).__name__
