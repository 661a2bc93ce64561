"""Two bots race through past bars and are killed at random moments; the journal must be that of an undisturbed run.

``python tests/benchmarks/chaos_bot.py [--kills 20] [--days 60] [--symbols 6] [--seed 0] [--database URL]``

Processes replay random forecasts into one journal: one leads, the other waits for its lease. The leader gets SIGKILL at
random moments, the waiting one too now and then, and both are started again. ``--database`` is the URL of a Postgres
server, without a database's name; by default the journal is a SQLite file.

The last line is JSON: ``kills``; ``lost`` and ``twice``, rows that are missing from the journal or there in addition;
``equal``, whether all tables are row-equal to those of one process that was left alone; ``days`` and ``takeovers``.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import sys
import tempfile
import time
import uuid
from collections import Counter
from multiprocessing.context import ForkProcess
from pathlib import Path
from threading import Event
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "tests" / "benchmarks"))

from bot_parts import names, random_tables  # noqa: E402
from conftest import random_universe  # noqa: E402
from sqlalchemy import select  # noqa: E402

from configs.load import load_config  # noqa: E402
from configs.schema import Config  # noqa: E402
from serving.bot.leader import lead  # noqa: E402
from serving.bot.memory import past_of  # noqa: E402
from serving.bot.past import PastFeed  # noqa: E402
from serving.bot.scanner import Scanner  # noqa: E402
from serving.journal import open_journal  # noqa: E402
from serving.journal.schema import metadata  # noqa: E402
from training.backtesting.forecasts import OutOfSample  # noqa: E402

_UNSTABLE = {"known_at", "started_at", "finished_at"}
_TABLES = ("predictions", "outcomes", "signals", "orders", "fills", "positions", "accounts", "alerts", "steps")
_BOT, _LEASE_S = "chaos", 1.0
_STEP_S = 0.08  # about what a day takes; a kill comes at a random moment of it
_FORK = multiprocessing.get_context("fork")  # children have all imports: what is killed is at work


class Race:
    """Bots that replay the same days into one journal."""

    def __init__(self, url: str, feed: PastFeed) -> None:
        self.url, self.feed = url, feed
        # Without locks: a process that is killed while it has one would keep it, and the others would wait for ever.
        self.done = _FORK.Value("i", 0, lock=False)
        self.leader = _FORK.Value("i", 0, lock=False)
        self.takeovers = _FORK.Value("i", 0, lock=False)

    def start(self) -> ForkProcess:
        """Start a bot."""
        process = _FORK.Process(target=self._replay)
        process.start()
        return process

    def _replay(self) -> None:
        with open_journal(self.url) as journal:
            leader = lead(journal, _BOT, _LEASE_S, Event(), poll_s=0.05)
            assert leader is not None
            with leader:
                self.leader.value = multiprocessing.current_process().pid or 0
                self.takeovers.value += 1
                scanner = Scanner(self.feed, journal, _BOT, bars_per_year=self.feed.terms.bars_per_year)
                past = past_of(journal, _BOT)
                dates = self.feed.dates
                for date in dates if past is None else dates[dates >= past.date]:
                    now = self.feed.clock(date)
                    scanner.scan(leader.lease, now)
                    scanner.fill_outcomes(leader.lease, now)
                    self.done.value = int((dates <= date).sum())

    def run(self, kills: int, rng: random.Random) -> int:
        """Race two bots to the end, kill them so many times, and return how many kills there were."""
        bots, killed = [self.start(), self.start()], 0
        days = len(self.feed.dates)
        while killed < kills:
            target = rng.uniform(killed, killed + 1) * days / (kills + 1)
            while self.done.value < target:
                _check(bots)
                time.sleep(0.01)
            time.sleep(rng.uniform(0.0, _STEP_S))
            both = rng.random() < 0.2
            for place, bot in enumerate(bots):
                if killed < kills and (both or bot.pid == self.leader.value):
                    bot.kill()
                    bot.join()
                    killed += 1
                    bots[place] = self.start()
        for bot in bots:
            bot.join()
            _check([bot])
        return killed


def make_feed(days: int, symbols: int) -> PastFeed:
    """Return random forecasts of the last days of random walks."""
    bars = random_universe(names(symbols), days + 300, seed=1)
    found = OutOfSample("random forecasts", Config(), tuple(bars), random_tables(bars, 300))
    settings = [f"bot.name={_BOT}", f"bot.lease_s={_LEASE_S:g}", "strategy.stops.touch_probability=0.3"]
    return PastFeed(found, load_config("smoke", overrides=settings), dict.fromkeys(found.tables, "v1"))


def rows_of(url: str) -> dict[str, Counter[str]]:
    """Return the rows of each table as text, without the times at which they were written."""
    found: dict[str, Counter[str]] = {}
    with open_journal(url) as journal, journal.connect() as connection:
        for name in _TABLES:
            rows = connection.execute(select(metadata.tables[name])).mappings()
            found[name] = Counter(map(_text, rows))
    return found


def _text(row: Any) -> str:
    kept = {key: value for key, value in row.items() if key not in _UNSTABLE}
    return json.dumps(kept, default=str, sort_keys=True)


def _check(bots: list[ForkProcess]) -> None:
    for bot in bots:
        if bot.exitcode not in (None, 0):
            raise SystemExit(f"a bot failed with {bot.exitcode}")


def _new_database(server: str) -> str:
    import psycopg

    name = f"chaos_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(f"{server}postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{server}{name}"


def main() -> None:
    """Compare a disturbed race with an undisturbed run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--symbols", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--database")
    given = parser.parse_args()
    feed = make_feed(given.days, given.symbols)
    with tempfile.TemporaryDirectory() as folder:
        urls = [f"sqlite:///{folder}/{name}.db" for name in ("alone", "raced")]
        if given.database:
            urls = [_new_database(given.database) for _ in urls]
        alone = Race(urls[0], feed).start()
        alone.join()
        _check([alone])
        race = Race(urls[1], feed)
        kills = race.run(given.kills, random.Random(given.seed))
        expected, found = rows_of(urls[0]), rows_of(urls[1])
    lost = {name: sum((expected[name] - found[name]).values()) for name in _TABLES}
    twice = {name: sum((found[name] - expected[name]).values()) for name in _TABLES}
    for name in _TABLES:
        print(f"{name}: {sum(expected[name].values())} rows, {lost[name]} lost, {twice[name]} more", file=sys.stderr)
    summary = {"kills": kills, "lost": sum(lost.values()), "twice": sum(twice.values())}
    summary |= {"equal": expected == found and bool(expected["accounts"]), "days": sum(expected["accounts"].values())}
    print(json.dumps(summary | {"takeovers": race.takeovers.value}))


if __name__ == "__main__":
    main()
