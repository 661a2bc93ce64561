"""The embedded lexicon: what directions apply to, negation, contrasts and compared numbers."""

import tomllib
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import DataError
from features.alternative.text.lexicon import LexiconScorer, PolicyScorer
from features.alternative.text.scorer import NEGATIVE, NEUTRAL, POSITIVE
from features.alternative.text.word_list import WordList, parse_word_list

LEXICON = LexiconScorer()

EXPECTED = {
    "Operating profit rose to $3.1 mn from $2.4 mn.": POSITIVE,
    "The operating loss narrowed to 2 mn.": POSITIVE,
    "Costs rose sharply.": NEGATIVE,
    "Sales fell 5%.": NEGATIVE,
    "Unemployment falls to 3.9%.": POSITIVE,
    "Net sales were $31 mn, compared to $35 mn in 2008.": NEGATIVE,
    "EPS $1.20 vs. $1.10 Est": POSITIVE,
    "The net loss was 4 mn, compared to 2 mn a year earlier.": NEGATIVE,
    "Operating profit was 9.4 mn, compared to a loss of 12.2 mn.": POSITIVE,
    "Operating loss was 3.1 mn, compared to a profit of 1.2 mn.": NEGATIVE,
    "Although sales fell, profit rose.": POSITIVE,
    "Sales grew but margins collapsed.": NEGATIVE,
    "Acme +5%": POSITIVE,
    "Acme −5% premarket": NEGATIVE,
    "Acme shares tumble after profit warning": NEGATIVE,
    "The annual report will be published on 3 March 2010.": NEUTRAL,
    "The number of shares increased to 1,000,000.": NEUTRAL,
    "The store is open up to 22 hours.": NEUTRAL,
    "": NEUTRAL,
    "😀🚀": NEUTRAL,
    "利益が増加した。": NEUTRAL,
}


@pytest.mark.parametrize(("text", "label"), EXPECTED.items())
def test_labels_follow_what_the_words_apply_to(text: str, label: int) -> None:
    scores = LEXICON.score([text])
    assert scores.label[0] == label
    assert np.sign(scores.tone[0]) == label or label == NEUTRAL


def test_a_negated_or_uncertain_statement_is_weaker() -> None:
    plain, negated, uncertain = LEXICON.score(
        ["The company raised its dividend.", "The company has not raised its dividend.", "It may raise its dividend."]
    ).tone
    assert plain > uncertain > 0.0 > negated > -plain


def test_the_stance_of_statements() -> None:
    tight, loose, other = PolicyScorer().score(
        [
            "The Committee raised rates; inflationary pressures persist and ongoing increases are appropriate.",
            "The bank announced a rate cut and further asset purchases.",
            "The Committee meets on Tuesday.",
        ]
    )[0]
    assert tight > 0.3 and loose < -0.3 and other == 0.0


@given(st.lists(st.one_of(st.text(max_size=60), st.sampled_from(list(EXPECTED))), max_size=6))
def test_a_score_depends_on_its_text_alone_and_lies_in_range(texts: list[str]) -> None:
    scores = LEXICON.score(texts)
    assert np.all(np.abs(scores.tone) <= 1.0) and np.all(scores.tone * scores.label >= 0.0)
    for text, tone in zip(reversed(texts), reversed(scores.tone), strict=True):
        assert LEXICON.score([text]).tone[0] == tone


def test_the_list_repeats_no_entry_and_uses_lower_case() -> None:
    data = files("features.alternative.text").joinpath("lexicon.toml").read_bytes()
    parse_word_list(data, "lexicon.toml")
    entries = [
        entry
        for weights in tomllib.loads(data.decode()).values()
        for text in weights.values()
        for entry in text.split()
    ]
    assert len(entries) > 900 and all(entry == entry.lower() for entry in entries)


def test_the_longest_phrase_wins() -> None:
    words = WordList({"up": {"strong": "rise ris*"}, "flat": {"strong": "rise_in rise_in_share*"}}, "test")
    assert words.match(["rise", "in", "shares"], 0) == (3, (("flat", 1.0),))
    assert words.match(["rise", "in", "sales"], 0) == (2, (("flat", 1.0),))
    assert words.match(["rise"], 0) == (1, (("up", 1.0), ("up", 1.0)))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[up]\nstrong = 'rise rise'", "'rise' is repeated in \\[up\\]"),
        (b"[up]\nmedium = 'rise'", "\\[up\\] has 'medium'; expected strong or weak"),
        (b"[up", "not TOML"),
    ],
)
def test_a_damaged_list_is_one_clear_error(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse_word_list(data, "lexicon.toml")
