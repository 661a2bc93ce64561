"""What goes wrong around a bot that trades: versions that are deleted, files that are damaged, symbols that change."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from configs.errors import DataError, FleetcastError
from features.store.lake import Lake
from serving.bot import scanner
from serving.bot.broker import Statement
from serving.bot.catalog import catalog
from serving.journal.schema import fills, orders, outcomes, predictions, steps
from training.registry.manager import ModelManager

pytestmark = pytest.mark.slow

SYMBOLS = ("AAA", "BBB", "CCC", "DDD", "EEE")
KIND = "direction"


def rows(bot, table, *where):
    with bot.journal.connect() as connection:
        return connection.execute(select(table).where(*where)).all()


def promote_and_delete(store) -> str:
    """Promote the other version of direction, delete the former champion, and return its name."""
    models = ModelManager(store)
    old = models.aliases(KIND).champion
    (new,) = set(models.versions(KIND)) - {old}
    models.promote(KIND, new, "by hand")
    (folder,) = (one for one in Path(store.root).rglob(old) if one.is_dir())
    shutil.rmtree(folder)
    return old


def damage(store, symbol) -> bytes:
    """Cut a symbol's file in the lake, and return what it was."""
    file = Path(store.root) / "lake" / "bars" / f"{symbol}.parquet"
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    return content


def test_a_bot_goes_on_without_the_version_that_it_began_with(make_bot, grow, store, caplog):
    make_bot().run_scan()
    old = promote_and_delete(store)
    grow(481)
    bot = make_bot()
    assert len(bot.run_scan()) == 5 and len(rows(bot, steps)) == 2
    assert any(old in record.message and "skill is measured" in record.message for record in caplog.records)


def test_a_scan_that_was_interrupted_ends_with_its_forecasts_though_their_version_is_gone(
    make_bot, grow, store, monkeypatch
):
    bot = make_bot()
    bot.run_scan()
    grow(481)

    def ends(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(scanner, "write_step", ends)
        with pytest.raises(KeyboardInterrupt):
            bot.run_scan()
    written = rows(bot, predictions)
    old = promote_and_delete(store)
    other = make_bot()
    assert len(other.run_scan()) == 5
    newest = max(rows(other, steps), key=lambda row: row.instant)
    assert newest.notes["versions"][KIND] == old and rows(other, predictions) == written


def test_a_damaged_file_stops_its_symbol_until_it_is_repaired(make_bot, grow, store):
    bot = make_bot()
    bot.run_scan()
    grow(481)
    content = damage(store, "CCC")
    assert {one["symbol"] for one in bot.run_scan()} >= set(SYMBOLS) - {"CCC"}
    (alert,) = bot.status().alerts
    assert (alert["event"], alert["key"]) == ("dead_data", "CCC") and "not a readable Parquet file" in alert["title"]
    (Path(store.root) / "lake" / "bars" / "CCC.parquet").write_bytes(content)
    grow(482)
    bot.run_scan()
    assert bot.status().alerts == () and len(rows(bot, steps)) == 3
    for symbol in SYMBOLS:
        damage(store, symbol)
    with pytest.raises(FleetcastError, match="not a readable Parquet file"):
        make_bot(name="new").run_scan()


def test_a_damaged_file_and_a_bar_of_the_future_stop_no_fetch(make_bot, grow, store, bars_of, tmp_path):
    from pandas import DataFrame, concat

    source = tmp_path / "bars.csv"
    columns = ("open", "high", "low", "close", "volume")
    tables = [
        DataFrame({"symbol": name, "date": bars.dates, **{one: getattr(bars, one) for one in columns}})
        for name in SYMBOLS[:4]
        for bars in [bars_of(name, 482)]
    ]
    concat(tables).to_csv(source, index=False)
    damage(store, "CCC")
    wrong = bars_of("DDD", 481)
    dates = wrong.dates.copy()
    dates[-1] = np.datetime64("2099-01-01", "ns")
    Lake(store).append(replace(wrong, dates=dates))
    bot = make_bot(fetch={"source": str(source), "symbols": SYMBOLS[:4]})
    grow(480, without=SYMBOLS)
    (ended,) = bot.run_once([catalog()["fetch"]])
    assert not ended.failed and ended.text.startswith("6 new bars of 3 symbols; none of CCC, such as CCC: ")
    signals = bot.run_scan()
    assert {one["symbol"] for one in signals} >= set(SYMBOLS) - {"CCC"}
    assert {row.bar_date for row in rows(bot, predictions)} == {datetime(2016, 11, 2, tzinfo=UTC)}


def test_a_renamed_symbol_keeps_its_position_and_has_its_outcome(make_bot, grow, store, bars_of, clock):
    bot = make_bot()
    bot.run_scan()
    grow(481)
    bot.run_scan()
    before = {one["symbol"]: one for one in bot.status().positions}
    Lake(store).rename("AAA", "NEW")
    for name in SYMBOLS[1:]:
        Lake(store).append(bars_of(name, 482))
    Lake(store).append(replace(bars_of("AAA", 482), symbol="NEW"))
    clock.to(bars_of("AAA", 482), hours=2)
    other = make_bot(sections={"journal": {"renamed": {"AAA": "NEW"}}}, symbols=("NEW", *SYMBOLS[1:]))
    ended = other.run_once([catalog()["scan"], catalog()["outcomes"]])
    assert not any(one.failed for one in ended), ended
    after = {one["symbol"]: one for one in other.status().positions if one["quantity"]}
    assert "AAA" not in after and before["AAA"]["quantity"] != 0.0
    assert after["NEW"]["mark"] == pytest.approx(bars_of("AAA", 482).close[-1])
    moved = sum(row.quantity for row in rows(other, fills, fills.c.symbol == "NEW"))
    assert after["NEW"]["quantity"] == pytest.approx(before["AAA"]["quantity"] + moved)
    known = {row.id for row in rows(other, predictions, predictions.c.symbol == "AAA", predictions.c.kind == KIND)}
    assert known <= {row.prediction_id for row in rows(other, outcomes)} and len(known) == 2


class OwnBroker:
    """A broker of one method that may end the process; it knows the orders that it was given."""

    def __init__(self) -> None:
        self.ids, self.ends = list[str](), False

    def statement(self, after, until):
        return Statement()

    def positions(self):
        return {}

    def cash(self):
        return 1e6

    def submit(self, given):
        if self.ends:
            raise DataError("the line to the broker is down.")
        self.ids += [order.id for order in given if order.id not in self.ids]


def test_orders_reach_a_broker_though_the_process_ended_between_journal_and_broker(make_bot, grow):
    broker = OwnBroker()
    broker.ends = True
    bot = make_bot(paper_mode=False, broker=broker)
    with pytest.raises(DataError, match="the line to the broker is down"):
        bot.run_scan()
    written = {row.id for row in rows(bot, orders, orders.c.state == "open")}
    assert written and len(rows(bot, steps)) == 1 and not broker.ids
    broker.ends = False
    make_bot(paper_mode=False, broker=broker).run_scan()
    assert set(broker.ids) == written and len(broker.ids) == len(written)
    bot.run_scan()
    assert len(rows(bot, steps)) == 1 and len(broker.ids) == len(written)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise ValueError('<img src=x> \\n \\x00 two')", "targets raised ValueError: two (line 4 of "),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("return None", "targets returned NoneType"),
        ("return [[float('nan')] * 5]", "expected finite positions"),
    ],
)
def test_a_strategy_of_the_users_that_fails_is_one_line_and_the_step_is_made_when_it_works(
    make_bot, tmp_path, monkeypatch, body, words
):
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"own_{abs(hash(body))}"
    text = "class Own:\n    needs = ('direction',)\n    def targets(self, view):\n        {}\n"
    (tmp_path / f"{name}.py").write_text(text.format(body))
    bot = make_bot(sections={"strategy": {"name": f"{name}:Own"}})
    (ended,) = bot.run_once([catalog()["scan"]])
    assert ended.failed and words in ended.text and "\n" not in ended.text and len(ended.text) < 400
    assert rows(bot, steps) == [] and len(rows(bot, predictions)) == 10
    other = make_bot(sections={"strategy": {"name": "volatility_target"}})
    assert len(other.run_scan()) == 5 and len(rows(other, predictions)) == 10


@pytest.mark.parametrize(
    ("sections", "more"),
    [
        ({"strategy": {"name": "relative_rank"}}, {}),
        ({"backtest": {"costs": {"preset": "crypto"}}}, {"accept_terms": True}),
    ],
)
def test_other_settings_between_two_steps_change_no_past_and_no_money(make_bot, grow, sections, more):
    bot = make_bot()
    bot.run_scan()
    grow(481)
    bot.run_scan()
    before = rows(bot, orders), rows(bot, fills)
    equity = bot.status().account["equity"]
    other = make_bot(sections=sections, more=more)
    grow(482)
    other.run_scan()
    assert abs(other.status().account["equity"] / equity - 1.0) < 0.1
    assert {row.id for row in before[1]} <= {row.id for row in rows(other, fills)}
    assert len(rows(other, steps)) == 3


def test_symbols_that_are_not_traded_any_more_are_sold(make_bot, grow):
    bot = make_bot()
    bot.run_scan()
    grow(481)
    bot.run_scan()
    assert len([one for one in bot.status().positions if one["quantity"]]) > 1
    few = make_bot(symbols=("AAA",))
    for bars in (482, 483):
        grow(bars)
        few.run_scan()
    assert {one["symbol"] for one in few.status().positions if one["quantity"]} <= {"AAA"}
