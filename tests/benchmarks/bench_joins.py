"""Time of as-of joins: 1,000 symbols × 5,000 bars × 20 series with 5 vintages of each value, on one core.

    python tests/benchmarks/bench_joins.py [--symbols N] [--bars N] [--series N] [--vintages N]

Prints JSON: seconds to prepare the tables (once a run), seconds of all joins, and milliseconds for one symbol with the
same dates as another and with dates of its own.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
import pandas as pd

from features.alternative.known import KnownData
from features.bars.decisions import decision_times
from features.bars.sessions import sessions_between


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("symbols", 1000), ("bars", 5000), ("series", 20), ("vintages", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    dates = sessions_between("XNYS", np.datetime64("1995-01-03"), np.datetime64("2020-12-31"))[-given.bars :]
    dates = dates.astype("datetime64[ns]")
    rows = vintages(dates, given.series, given.vintages)
    decision_times(dates)  # calendars are built once a process
    start = time.perf_counter()
    data = KnownData.from_frames(rows)
    prepared = time.perf_counter()
    checksum = 0.0
    for number in range(given.symbols):
        found = data.at(f"S{number}", dates[number % 50 :])  # fifty groups of symbols with the same first bar
        checksum += float(np.nansum(found[-1]))
    joined = time.perf_counter()
    one = dates[:-7]
    decision_times(one)
    first = time.perf_counter()
    data.at("A", one)
    second = time.perf_counter()
    data.at("B", one)
    third = time.perf_counter()
    figures = {
        "prepare_s": prepared - start,
        "join_s": joined - prepared,
        "first_symbol_of_dates_ms": 1e3 * (second - first),
        "next_symbol_of_dates_ms": 1e3 * (third - second),
        "columns": len(data.columns),
        "checksum": checksum,
    }
    print(json.dumps({**vars(given), **{name: round(value, 4) for name, value in figures.items()}}))


def vintages(dates: np.ndarray, series: int, count: int) -> pd.DataFrame:
    """Return daily market series, each value published the next morning and revised every week after."""
    rng, parts = np.random.default_rng(0), []
    for number in range(series):
        values = np.cumsum(rng.normal(0.0, 0.1, len(dates)))
        for vintage in range(count):
            known = pd.DatetimeIndex(dates).tz_localize("UTC") + pd.Timedelta(days=1 + 7 * vintage, hours=13)
            part = {"symbol": "", "series": f"S{number}", "period": dates, "value": values + 0.01 * vintage}
            parts.append(pd.DataFrame({**part, "known_from": known}))
    return pd.concat(parts, ignore_index=True)


if __name__ == "__main__":
    main()
