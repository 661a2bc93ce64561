"""News with scores of sentiment by symbol from Alpha Vantage (function ``NEWS_SENTIMENT``), times in UTC.

An answer has at most 1,000 articles, oldest first: the next request starts at the minute of the last one. Limits are
answers with status 200 and a text instead of articles. API: alphavantage.co/documentation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from features.alternative.fetch.base import FetchRequest, FetchSpec, records, unexpected
from features.alternative.fetch.credentials import Credential
from features.alternative.fetch.http import Http, SourceError

_MOST = 1_000
_MINUTE = "%Y%m%dT%H%M"
_LIMITS = ("Note", "Information")
_NOTHING = ("no articles found", "no news found")


def fetch_news(item: str, request: FetchRequest, http: Http) -> Iterator[pd.DataFrame]:
    """Yield a frame of texts with scores and relevance for each answer."""
    first, last = request.bounds()
    while True:
        asked: dict[str, str | float] = {
            "function": "NEWS_SENTIMENT",
            "tickers": item,
            "time_from": first.strftime(_MINUTE),
            "time_to": last.strftime(_MINUTE),
            "sort": "EARLIEST",
            "limit": _MOST,
        }
        articles = _articles(http.get("/query", asked), http)
        rows = [row for one in articles for row in _rows(one, item)]
        if rows:
            yield pd.DataFrame(rows)
        if len(articles) < _MOST:
            return
        newest = _instant(max(str(one.get("time_published", "")) for one in articles))
        if newest <= first:
            raise SourceError(f"there are {_MOST:,} articles of {item} in the minute of {first:%Y-%m-%d %H:%M} UTC.")
        first = newest


def _articles(answer: Any, http: Http) -> list[dict[str, Any]]:
    """Return the articles of an answer; :class:`.SourceError` for a text instead of them."""
    if isinstance(answer, dict) and "feed" not in answer:
        for name in (*_LIMITS, "Error Message"):
            said = http.redacted(str(answer.get(name, "")))
            if said and any(one in said.lower() for one in _NOTHING):
                return []
            if said:
                is_limit = name in _LIMITS and "invalid input" not in said.lower()
                raise SourceError(f"alphavantage sends no articles: {said.rstrip('.')}.", stops=is_limit)
    return records(answer, "feed")


def _rows(article: dict[str, Any], symbol: str) -> Iterator[dict[str, Any]]:
    for one in records(article, "ticker_sentiment"):
        if str(one.get("ticker", "")).upper() == symbol.upper():
            yield {
                "symbol": symbol,
                "id": hashlib.sha256(str(article.get("url", "")).encode(errors="replace")).hexdigest()[:32],
                "published_at": article.get("time_published"),
                "text": article.get("title"),
                "score": one.get("ticker_sentiment_score"),
                "relevance": one.get("relevance_score"),
                "kind": "news",
            }


def _instant(text: str) -> datetime:
    try:
        return datetime.strptime(text[:13], _MINUTE).replace(tzinfo=UTC)
    except ValueError as error:
        raise unexpected("times of the form YYYYMMDDTHHMMSS") from error


SPEC = FetchSpec(
    name="alphavantage",
    kind="text",
    items="symbols",
    fetch=fetch_news,
    base_url="https://www.alphavantage.co",
    credentials=(
        Credential(
            "ALPHAVANTAGE_API_KEY",
            "query",
            "apikey",
            "Request a free key at https://www.alphavantage.co/support/#api-key and export it.",
        ),
    ),
    timezone="UTC",
    pause_s=1.0,
)
