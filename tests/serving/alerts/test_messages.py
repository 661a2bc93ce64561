"""Texts: whatever the alerts are, the text fits, counts them and carries its number."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.alerts import EVENTS
from serving.alerts.events import SEVERITIES, plain_text
from serving.alerts.messages import Earlier, Entry, compose, cut, utf16_length

AT = datetime(2026, 1, 2, 21, tzinfo=UTC)
NUMBER = "0b7c6a52-7a8e-5e56-9a6f-0d5c9d7f3c11"
TEXT = st.text(max_size=300).map(plain_text)


def entry(event="drift", key="A", title="PSI 0.31", body="", phase="raised", severity="warning", at=AT):
    return Entry(f"{key}-{title}"[:36], "bot", event, key, severity, phase, at, AT, title, body)


ENTRIES = st.builds(
    entry,
    event=st.sampled_from(sorted(EVENTS)),
    key=TEXT,
    title=st.one_of(TEXT, st.just("🟢" * 150)),
    body=st.one_of(TEXT, st.just("🟢" * 2000)),
    phase=st.sampled_from(("raised", "repeated", "resolved")),
    severity=st.sampled_from(SEVERITIES),
)


@pytest.mark.slow
@given(
    entries=st.lists(ENTRIES, min_size=1, max_size=60),
    earlier=st.builds(Earlier, st.lists(ENTRIES, max_size=9), st.integers(0, 9)),
)
def test_every_text_fits_has_every_event_and_its_number(entries, earlier):
    text = compose(entries, NUMBER, 4096, earlier).text
    assert utf16_length(text) <= 4096 and text.rstrip().endswith(f"id {NUMBER}")
    assert all(EVENTS[one.event].heading in text for one in entries)
    text.encode("utf-8")


def test_what_fits_is_complete_and_in_order_of_severity():
    found = [
        entry("signal", "A", "buy A", severity="info"),
        entry("skill", "direction", "log loss", "since 9 days", severity="critical"),
        entry("dead_data", "B", "bars are back", phase="resolved"),
    ]
    message = compose(found, NUMBER, 4096)
    assert message.text == (
        "🔴 Loss of skill\nlog loss\nsince 9 days\n\n🔵 Signals\nbuy A\n\n"
        "🟢 Resolved: Dead data\nbars are back (since 2026-01-02 21:00 UTC)\n\n"
        f"Bot bot, 2026-01-02 21:00 UTC\nid {NUMBER}"
    )
    assert message.subject == "[bot] 🔴 Loss of skill, 🔵 Signals, 🟢 Resolved: Dead data"
    assert message.severity == "critical"


def test_a_long_body_of_one_alert_is_cut_to_what_fits():
    text = compose([entry(body="🟢" * 2000)], NUMBER, 1000).text
    assert 990 < utf16_length(text) <= 1000 and "PSI 0.31" in text and "…" in text


def test_bodies_are_left_out_before_titles():
    found = [entry(key=f"{i:02d}", title=f"title {i:02d}", body="b" * 300) for i in range(20)]
    text = compose(found, NUMBER, 4096).text
    assert all(f"title {i:02d}" in text for i in range(20)) and "bbb" not in text
    assert f"All 20: fleetcast alerts list --id {NUMBER[:8]}" in text


def test_nothing_and_no_room_are_refused():
    for entries, limit in (([], 4096), ([entry()], 160)):
        with pytest.raises(ValueError, match="expected at least"):
            compose(entries, NUMBER, limit)


@given(st.text(), st.integers(0, 30))
def test_a_cut_never_splits_a_character(text, units):
    shorter = cut(plain_text(text), units)
    assert utf16_length(shorter) <= units
    shorter.encode("utf-8")
