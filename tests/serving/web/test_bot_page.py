"""The page of trading bots in a real browser: what it shows, its states in words, keyboard, phone, hostile names."""

import sqlite3
from urllib.parse import quote

import pytest
from sqlalchemy import func, select, text, update

from configs.operation import ServeConfig
from serving.alerts.events import Alert
from serving.alerts.outbox import raise_alerts
from serving.bot.leader import lease_name
from serving.journal import open_journal
from serving.journal.leases import acquire
from serving.journal.schema import accounts, orders, positions, signals, steps
from serving.web.api import build_api
from serving.web.prediction_service import EngineService

pytestmark = pytest.mark.slow

SHOWN = "document.body.dataset.state"
TEXT = "document.body.innerText"
HOSTILE = "<img src=x onerror=document.title='run'>"


@pytest.fixture(scope="module")
def serve(engine, start_server):
    """Return a function that serves the page with these bots, and returns its URL."""

    def serve(bots, monitoring=None):
        return start_server(build_api(EngineService(engine, 512), ServeConfig(), bots=bots, monitoring=monitoring))

    return serve


@pytest.fixture(scope="module")
def desk_url(desk, serve):
    return serve(desk.bots(), desk.monitoring())


@pytest.fixture
def copy(desk, tmp_path):
    """A copy of the desk's journal that a test may change."""
    source, file = sqlite3.connect(desk.url.removeprefix("sqlite:///")), tmp_path / "journal.db"
    with sqlite3.connect(file) as target:
        source.backup(target)
    source.close()
    return desk._replace(url=f"sqlite:///{file}")


def look(browser, url, **options):
    """Return the text of a page once its scripts have run."""
    browser.open(url, SHOWN, **options)
    assert not browser.errors
    return browser.value(TEXT)


def rows_of(browser, place):
    return browser.value(f"[...document.querySelectorAll('#{place} tbody tr')].map((row) => row.innerText)")


def test_the_desk_is_shown_with_its_units_and_reasons(browser, desk, desk_url):
    page = look(browser, f"{desk_url}/bot")
    assert "Bot paper is alive" in page and "no process" not in page
    with desk.open() as journal, journal.connect() as connection:
        account = connection.execute(select(accounts).order_by(accounts.c.instant.desc()).limit(1)).one()
        own = select(signals).where(signals.c.bar_close == account.instant).order_by(signals.c.symbol)
        wanted = connection.execute(own).all()
        held = connection.execute(select(positions).where(positions.c.instant == account.instant)).all()
        ordered = connection.execute(select(orders).where(orders.c.state == "open")).all()
    assert f"{account.equity:,.2f}" in page and f"bars to {account.instant:%Y-%m-%d %H:%M} UTC" in page
    shown = {row.split()[0]: row for row in rows_of(browser, "signals")}
    assert shown.keys() == {row.symbol for row in wanted}
    for row in wanted:
        assert row.action in shown[row.symbol] and all(reason in shown[row.symbol] for reason in row.reasons)
    owned = {row.split()[0]: row for row in rows_of(browser, "positions")}
    assert owned.keys() == {row.symbol for row in held} and "realised + unrealised − costs" in page
    for row in held:
        assert row.costs > 0.0 and f"{abs(row.realised_pnl + row.unrealised_pnl - row.costs):,.2f}" in owned[row.symbol]
    waiting = {row.split()[0]: row for row in rows_of(browser, "orders")}
    assert waiting.keys() == {row.symbol for row in ordered} and waiting
    for row in ordered:
        said = (f"{row.bar_close:%Y-%m-%d %H:%M} UTC", "next bar's open", "buy" if row.quantity > 0 else "sell")
        assert all(words in waiting[row.symbol] for words in said), "an order of before waits too"
    assert "DDD was left out: " in page and "heartbeat just now" in page
    assert "in the account's currency" in page and "volatility is per year" in page
    assert browser.value("document.querySelectorAll('#equity .main-svg').length") > 0
    assert [row.split()[0] for row in rows_of(browser, "tasks")] == ["scan", "outcomes", "monitoring", "heartbeat"]
    assert "No sign that forecasts are worse than the class prior" in page
    assert browser.value("document.querySelectorAll('#skill .figures').length") == 2
    assert "No alarm of feature drift; judged " in page and "features differ" not in page
    assert "No champion has been replaced" in page and "The bot has trained nothing yet." in page


def test_the_page_of_forecasts_has_a_line_for_each_bot(browser, desk_url):
    look(browser, desk_url)
    line = browser.value("document.querySelector('#bots .strip.alive').innerText")
    assert "Bot paper is alive" in line and "for the next bar" in line
    assert browser.value("document.querySelector('#bots a').href") == f"{desk_url}/bot#paper"
    assert browser.value("document.getElementById('bot-link').hidden") is False


def test_a_dead_bot_is_seen_on_both_pages(browser, desk, serve):
    url = serve(desk.bots(days=10))
    for path in ("/", "/bot"):
        page = look(browser, url + path)
        assert "Bot paper is dead: no scan for " in page and "periods, since 2016-" in page
    assert browser.value("document.querySelector('.health.dead h2').innerText")
    assert browser.value("document.title").startswith("Bot paper is dead")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_nothing_is_wider_than_the_screen(browser, desk_url, width, dark):
    look(browser, f"{desk_url}/bot", width=width, dark=dark)
    assert browser.value("document.documentElement.scrollWidth") <= width
    boxes = "[...document.querySelectorAll('.card, .tile, .alerts li, .chart, .ledger td')]"
    assert browser.value(f"{boxes}.filter((box) => box.scrollWidth > box.clientWidth + 1).length") == 0
    if width == 390:
        assert browser.value(
            "[...document.querySelectorAll('.scroll:has(.ledger)')].every((box) => box.scrollWidth <= box.clientWidth)"
        )
        assert browser.value("getComputedStyle(document.querySelector('.ledger tbody tr')).display") == "grid"


def test_the_keyboard_reaches_and_walks_tables(browser, desk_url):
    look(browser, f"{desk_url}/bot")
    browser.value("document.querySelector('#signals .sort').focus()")
    browser.press("Enter")
    assert browser.value("document.querySelector('#signals th').getAttribute('aria-sort')") == "ascending"
    focus = "document.activeElement.dataset.row"
    while not browser.value(focus):
        assert browser.value("document.activeElement.matches('#signals .sort, #signals a')")
        browser.press("Tab")
    assert browser.value("getComputedStyle(document.activeElement).outlineStyle") == "solid", "focus is visible"
    walked = [browser.value(focus)]
    for key in ("ArrowDown", "ArrowUp", "End", "ArrowDown", "Home"):
        browser.press(key)
        walked.append(browser.value(focus))
    assert walked == [f"row {symbol}" for symbol in ("AAA", "BBB", "AAA", "EEE", "EEE", "AAA")]


def test_a_refresh_that_changes_nothing_keeps_the_focus(browser, desk_url):
    look(browser, f"{desk_url}/bot")
    browser.value("document.querySelector('#signals [data-row=\"row BBB\"]').focus()")
    browser.value("load()")
    assert browser.value("document.activeElement.dataset.row") == "row BBB"
    browser.value("ledgers.get('signals').text = ''; load()")
    assert browser.value("document.activeElement.dataset.row") == "row BBB", "also when the table is made again"


def test_names_and_texts_are_only_text(browser, copy, serve):
    with copy.open() as journal, journal.begin() as connection:
        newest = select(func.max(steps.c.instant)).scalar_subquery()
        for table, at in ((signals, signals.c.bar_close), (positions, positions.c.instant)):
            connection.execute(update(table).where(table.c.symbol == "AAA", at == newest).values(symbol=HOSTILE))
        connection.execute(update(signals).values(reasons=[HOSTILE], strategy=HOSTILE, regime="<b>up</b>"))
        late = {"late": {HOSTILE: HOSTILE}, "stopped": {"x": HOSTILE}, "versions": {}}
        connection.execute(update(steps).values(notes=late))
        alert = Alert("paper", "dead_data", HOSTILE, copy.now, HOSTILE, HOSTILE)
        raise_alerts(connection, [alert], copy.now - copy.now)
    url = serve(copy.bots())
    for path in ("/", f"/bot#{quote(HOSTILE)}"):
        page = look(browser, url + path)
        assert browser.value("document.querySelectorAll('img, b, script:not([src])').length") == 0
        assert browser.value("document.title") != "run"
        assert path == "/" or page.count(HOSTILE) >= 6


def test_a_bot_is_chosen_by_its_name_and_one_that_has_just_begun_says_so(browser, copy, serve):
    with copy.open() as journal:
        acquire(journal, lease_name("second"), term_s=60.0, clock=lambda: copy.now)
    page = look(browser, f"{serve(copy.bots())}/bot#second")
    for words in (
        "Bot second has not scanned yet",
        "there are no signals",
        "No order waits.",
        "Nothing has been bought or sold yet",
    ):
        assert words in page
    assert browser.value("document.querySelector('#choice [aria-current]').innerText") == "second"
    browser.value("document.querySelector('#choice a:not([aria-current])').click()")
    browser.value("new Promise((done) => setTimeout(done))")
    assert "Bot paper is alive" in browser.value(TEXT)


def test_a_database_that_breaks_leaves_the_page_with_the_time_it_is_of(browser, copy, serve):
    url = serve(copy.bots())
    look(browser, f"{url}/bot")
    with copy.open() as journal, journal.begin() as connection:
        connection.execute(text("DROP TABLE accounts"))
    browser.value("load()")
    problem = browser.value("document.getElementById('problem').innerText")
    assert problem.startswith(f"No answer since {copy.now:%Y-%m-%d %H:%M} UTC: ") and "journal.db" in problem
    assert "Bot paper is alive" in browser.value(TEXT) and browser.value("document.body.className") == "stale"
    forecasts = look(browser, url)
    assert "The trading bots are not known: " in forecasts and "5 of 5 symbols" in forecasts


def test_without_a_bot_or_a_journal_the_page_says_what_to_start(browser, desk, serve, url, tmp_path):
    database = f"sqlite:///{tmp_path / 'journal.db'}"
    open_journal(database).close()
    empty = serve(desk._replace(url=database).bots(), desk._replace(url=database).monitoring())
    page = look(browser, f"{empty}/bot")
    assert "No bot has worked in this journal yet. Start one: fleetcast bot run" in page
    assert "No forecast has been journaled yet" in page and "AAA" not in page
    assert "fleetcast serve --journal" in look(browser, f"{url}/bot")
    look(browser, url)
    assert browser.value("document.getElementById('bot-link').hidden") is True
    assert browser.value("document.getElementById('bots').children.length") == 0
