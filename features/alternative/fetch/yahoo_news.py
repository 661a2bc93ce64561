"""A collector of Yahoo's news through yfinance: there is no history, so a text counts from its retrieval.

Run it regularly. A text that is stored is not stored again; one whose headline changed is. For personal use only; see
Yahoo's terms.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from features.alternative.fetch.base import FetchRequest, FetchSpec
from features.alternative.fetch.http import Http, SourceError
from features.alternative.fetch.yahoo_calls import collected

_MOST = 100


def fetch_news(item: str, request: FetchRequest, http: Http) -> Iterator[pd.DataFrame]:
    """Yield one frame with the texts that Yahoo shows of a symbol now."""
    articles = collected(lambda ticker: ticker.get_news(count=_MOST), item, http)
    frame = news_frame(articles, item, request.now)
    if not len(frame):
        raise SourceError("Yahoo shows no news of it now.")
    yield frame


def news_frame(articles: Sequence[Mapping[str, Any]], symbol: str, now: pd.Timestamp) -> pd.DataFrame:
    """Return texts from articles as yfinance returns them, in its present form (``content``) or the one before."""
    rows = []
    for article in articles:
        content = article.get("content")
        inner: Mapping[str, Any] = content if isinstance(content, Mapping) else article
        identity = article.get("id") or inner.get("id") or article.get("uuid")
        if inner.get("title") and identity:
            rows.append({"symbol": symbol, "id": str(identity), "text": str(inner["title"]), "kind": "news"})
    frame = pd.DataFrame(rows, columns=["symbol", "id", "text", "kind"])
    return frame.drop_duplicates("id", ignore_index=True).assign(published_at=now)


SPEC = FetchSpec(
    name="yahoo_news",
    kind="text",
    items="symbols",
    fetch=fetch_news,
    needs_start=False,
    collected_by=("symbol", "id"),
)
