"""Reports of material events (form 8-K) that companies filed with the SEC, from EDGAR's lists of submissions.

The acceptance time in these lists ends with "Z", but for some companies it is the time in New York and for others
UTC; nothing in the list says which. It is read as New York's, so that a filing never counts too early; one whose time
is UTC counts four or five hours late. (Of 808 companies, 181 were found to have New York's time and 624 UTC:
github.com/john-friedman/datamule-python/issues/115.) Filings after 17:30 are published on the next business day, their
filing date: none counts before EDGAR opens on that day. A time of midnight, when it is closed, is a day without a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pandas as pd

from features.alternative.fetch.base import FetchRequest, FetchSpec, columns, unexpected
from features.alternative.fetch.credentials import Credential
from features.alternative.fetch.http import Http, SourceError
from features.alternative.instants import read_instants

_NEW_YORK = "America/New_York"
_WWW = "https://www.sec.gov"
_COLUMNS = ("accessionNumber", "filingDate", "acceptanceDateTime", "form", "items")
_OLDER = re.compile(r"CIK\d{10}-submissions-\d{3}\.json")
_OPENING = "T06:00:00"
_ITEMS = {
    "1.01": "entry into a material agreement",
    "1.02": "termination of a material agreement",
    "1.03": "bankruptcy or receivership",
    "1.04": "mine safety",
    "1.05": "material cybersecurity incident",
    "2.01": "completion of an acquisition or disposition of assets",
    "2.02": "results of operations and financial condition",
    "2.03": "creation of a direct financial obligation",
    "2.04": "event that accelerates a financial obligation",
    "2.05": "costs of exit or disposal activities",
    "2.06": "material impairments",
    "3.01": "notice of delisting or failure to satisfy a listing rule",
    "3.02": "unregistered sale of equity",
    "3.03": "modification to rights of security holders",
    "4.01": "change of the certifying accountant",
    "4.02": "no reliance on earlier financial statements",
    "5.01": "change in control",
    "5.02": "departure or election of directors or officers",
    "5.03": "amendment of articles or bylaws, or change of the fiscal year",
    "5.04": "suspension of trading under employee benefit plans",
    "5.05": "amendment or waiver of the code of ethics",
    "5.06": "change in shell company status",
    "5.07": "vote of security holders",
    "5.08": "director nominations of shareholders",
    "7.01": "Regulation FD disclosure",
    "8.01": "other events",
    "9.01": "financial statements and exhibits",
}


def fetch_filings(item: str, request: FetchRequest, http: Http) -> Iterator[pd.DataFrame]:
    """Yield frames of filings; ``item`` is a ticker of the SEC's list, or ``NAME=CIK`` for a company that left it."""
    first, last = request.days()
    symbol, _, number = item.partition("=")
    cik = int(number) if number.isdecimal() else _cik(symbol, http)
    answer = http.get(f"/submissions/CIK{cik:010d}.json")
    filings = answer.get("filings") if isinstance(answer, dict) else None
    if not isinstance(filings, dict):
        raise unexpected("part 'filings'")
    days = first.isoformat(), last.isoformat()
    older = filings.get("files") or []
    for one in older if isinstance(older, list) else ():
        name = str(one.get("name", ""))
        if not _OLDER.fullmatch(name):
            raise unexpected("usable names of older lists")
        if str(one.get("filingFrom", "")) <= days[1] and str(one.get("filingTo", "9999")) >= days[0]:
            yield _filings(http.get(f"/submissions/{name}"), symbol, days, request.now)
    yield _filings(filings.get("recent"), symbol, days, request.now)


def _filings(answer: Any, symbol: str, days: tuple[str, str], now: pd.Timestamp) -> pd.DataFrame:
    found = columns(answer, _COLUMNS).astype("str")
    is_wanted = found["form"].str.fullmatch(r"8-K(12B|12G3|15D5)?(/A)?") & found["filingDate"].between(*days)
    rows = found[is_wanted].reset_index(drop=True)
    accepted, opening = rows["acceptanceDateTime"].str.slice(0, 19), rows["filingDate"] + _OPENING
    known_from = accepted.where(accepted >= opening, opening)  # ISO texts sort by time
    known_from = known_from.mask(accepted.str.endswith("T00:00:00"), rows["filingDate"])  # counts from the day's end
    frame = pd.DataFrame(
        {
            "symbol": symbol,
            "id": rows["accessionNumber"],
            "published_at": accepted,
            "updated_at": known_from,
            "text": [_text(form, items) for form, items in zip(rows["form"], rows["items"], strict=True)],
            "kind": "filing",
        }
    )
    # The next opening, or a time in UTC read as New York's, may be ahead of the clock: such a filing is read later.
    return frame[~(read_instants(known_from, "acceptanceDateTime", _NEW_YORK).utc > now.to_datetime64())]


def _text(form: str, items: str) -> str:
    numbers = [one.strip() for one in items.split(",") if one.strip()]
    return f"{form}: {'; '.join(_ITEMS.get(one, f'item {one}') for one in numbers)}" if numbers else form


def _cik(ticker: str, http: Http) -> int:
    answer = http.get_once("/files/company_tickers.json", _WWW)
    found = answer.values() if isinstance(answer, dict) else ()
    by_ticker = {str(one.get("ticker", "")).upper(): one.get("cik_str") for one in found if isinstance(one, dict)}
    cik = by_ticker.get(ticker.upper())
    if not isinstance(cik, int):
        raise SourceError(f"the SEC's list has no ticker {ticker}. Give its number, such as --symbols {ticker}=320193.")
    return cik


SPEC = FetchSpec(
    name="edgar",
    kind="text",
    items="symbols",
    fetch=fetch_filings,
    base_url="https://data.sec.gov",
    credentials=(
        Credential(
            "SEC_CONTACT",
            "header",
            "User-Agent",
            "The SEC asks for a name and an address of mail: export SEC_CONTACT='Jane Doe jane@example.com'.",
            form="fleetcast {}",
            needed="@",
        ),
    ),
    timezone=_NEW_YORK,
    pause_s=0.15,
)
