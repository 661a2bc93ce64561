"""Texts with markup, emoji, control characters and megabytes become one line of words."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processor_time import assert_fast

from configs.errors import DataError
from features.alternative.text.clean import MAX_CHARACTERS, clean_text, text_digest
from features.alternative.text.lexicon import LexiconScorer


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("<p>Profit &amp; sales <b>rose</b></p><script>fell()</script>", "Profit & sales rose"),
        ("<div>one</div><div>two</div>", "one two"),
        ("profit < 3 and > 2", "profit < 3 and > 2"),
        ("see https://example.com/a?b=c for more", "see for more"),
        ("tabs\tand\r\nlines\x00\u200b", "tabs and lines"),
        ("🚀 up 👩‍💻", "🚀 up 👩‍💻"),
        ("cafe\u0301", "café"),
        ("<!-- note -->&nbsp;AT&T", "AT&T"),
        ("</script></p>open <b", "open <b"),
        ("<p><![if x]>kept <![CDATA[also", "kept <![CDATA[also"),
        ('<a title="a > b" href=x>link</a> <a b="c>d</a>', "link d"),
        ("<p>a<!-- hidden <b>", "a"),
        ("<style>b{}</STYLE >rose <head><title>x</title></head>now", "rose now"),
        ("<p>&lt;b&gt; &#x41; &#" + "1" * 5_000 + "; end", "<b> A end"),
    ],
)
def test_what_is_left(text: str, clean: str) -> None:
    assert clean_text(text) == clean


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    "Profit rose. |<b>|&amp;|\u0301|9,|9-|<!|<!--|<a |<a b='|<![|<script>|&#|\u0300\u0327|\u0f73\u0f71|a|'b".split("|"),
)
def test_a_megabyte_takes_no_longer_than_its_beginning(unit: str) -> None:
    def clean_and_score() -> None:
        for begin in ("<p>", "<p><"):
            text = clean_text(begin + unit * (1_000_000 // len(unit)))
            assert len(text) <= MAX_CHARACTERS
            LexiconScorer().score([text])
        text_digest(unit * 100_000)

    assert_fast(clean_and_score, 5.0)


@given(st.text())
def test_a_clean_text_stays_as_it_is_in_nfc(text: str) -> None:
    clean = clean_text(text)
    assert unicodedata.is_normalized("NFC", clean) and clean == clean.strip() and "\n" not in clean


def test_equal_texts_in_other_forms_have_one_digest() -> None:
    assert text_digest("café") == text_digest("cafe\u0301") != text_digest("cafe")


@pytest.mark.parametrize("text", [None, 3, b"bytes"])
def test_other_types_are_refused(text: object) -> None:
    with pytest.raises(DataError, match="expected a string"):
        clean_text(text)  # type: ignore[arg-type]


def test_half_a_character_has_no_digest_and_is_still_scored() -> None:
    with pytest.raises(DataError, match="unpaired surrogate at character 2"):
        text_digest("ab\ud800")
    assert clean_text("ab\ud800c") == "ab c"
