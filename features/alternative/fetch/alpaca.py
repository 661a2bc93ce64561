"""News of single symbols from Alpaca (Benzinga), with the times of publication and of the last edit.

Only the last version of an article is sent, so that an edited one counts from its edit. API: docs.alpaca.markets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pandas as pd

from features.alternative.fetch.base import FetchRequest, FetchSpec, records, unexpected
from features.alternative.fetch.credentials import Credential
from features.alternative.fetch.http import Http

_PAGE = 50  # the largest that is allowed
_FRAME = 1_000
_CLASS_SHARE = re.compile(r"^([A-Z]+)-([A-Z])$")
_REMEDY = "Create keys at https://app.alpaca.markets (paper trading suffices) and export both."


def fetch_news(item: str, request: FetchRequest, http: Http) -> Iterator[pd.DataFrame]:
    """Yield frames of texts, oldest first, each of about a thousand."""
    first, last = request.bounds()
    name = _CLASS_SHARE.sub(r"\1.\2", item)
    asked: dict[str, str | float] = {
        "symbols": name,
        "start": f"{first:%Y-%m-%dT%H:%M:%SZ}",
        "end": f"{last:%Y-%m-%dT%H:%M:%SZ}",
        "limit": _PAGE,
        "sort": "asc",
        "include_content": "false",
    }
    rows, seen = list[dict[str, Any]](), set[str]()
    while True:
        answer = http.get("/v1beta1/news", asked)
        rows += [_row(one, item) for one in records(answer, "news")]
        token = answer.get("next_page_token")
        if rows and (len(rows) >= _FRAME or not token):
            yield pd.DataFrame(rows)
            rows = []
        if not token:
            return
        if token in seen:
            raise unexpected("new page: its page token repeats")
        seen.add(token)
        asked["page_token"] = token


def _row(article: dict[str, Any], symbol: str) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "id": article.get("id"),
        "published_at": article.get("created_at"),
        "updated_at": article.get("updated_at"),
        "text": article.get("headline"),
        "kind": "news",
    }


SPEC = FetchSpec(
    name="alpaca",
    kind="text",
    items="symbols",
    fetch=fetch_news,
    base_url="https://data.alpaca.markets",
    credentials=(
        Credential("APCA_API_KEY_ID", "header", "APCA-API-KEY-ID", _REMEDY),
        Credential("APCA_API_SECRET_KEY", "header", "APCA-API-SECRET-KEY", _REMEDY),
    ),
    pause_s=0.3,
)
