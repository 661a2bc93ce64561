"""Scorers of the user's own lists, in the formats of VADER and of the Loughran-McDonald master dictionary."""

import math
from pathlib import Path

import pytest

from configs.errors import DataError
from features.alternative.text.loughran_mcdonald import LoughranMcDonaldScorer
from features.alternative.text.vader import VaderScorer

MASTER = (
    "Word,Seq_num,Word Count,Negative,Positive,Syllables\nGAIN,1,9,0,2009,1\nLOSS,2,9,2009,0,1\nOLD,3,9,-2020,0,1\n"
)


@pytest.fixture
def rated(tmp_path: Path) -> Path:
    path = tmp_path / "rated.txt"
    path.write_text("good\t2.0\t0.5\t[1, 3]\nbad\t-2.5\t0.5\t[-3]\n:)\t2.0\t0.9\t[2]\n")
    return path


def normal(total: float) -> float:
    return total / math.sqrt(total * total + 15.0)


@pytest.mark.parametrize(
    ("text", "total"),
    [
        ("a good day", 2.0),
        ("a very good day", 2.293),
        ("not good", -1.48),
        ("isn't very good", (2.0 + 0.293) * -0.74),
        ("a GOOD day", 2.733),
        ("GOOD DAY", 2.0),
        ("good!!", 2.584),
        ("good but bad", 1.0 - 3.75),
        ("slightly bad", -2.5 + 0.293),
        ("fine :)", 2.0),
        ("nothing of note", 0.0),
    ],
)
def test_rules_of_rated_words(rated: Path, text: str, total: float) -> None:
    scores = VaderScorer(rated).score([text])
    assert scores.tone[0] == pytest.approx(normal(total), abs=1e-12)
    assert scores.label[0] == (total > 0) - (total < 0)


def test_counts_of_the_master_dictionary(tmp_path: Path) -> None:
    path = tmp_path / "master.csv"
    path.write_text("\ufeff" + MASTER)
    scores = LoughranMcDonaldScorer(path).score(
        ["A gain.", "A loss and a gain, a loss", "no gain", "old news", "never a loss", "<b>GAIN</b>"]
    )
    assert scores.tone == pytest.approx([1.0, -1 / 3, -1.0, 0.0, -1.0, 1.0])
    assert scores.label.tolist() == [1, -1, -1, 0, -1, 1]


def test_another_list_is_another_scorer(rated: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("good\t1.0\n")
    assert VaderScorer(other).name != VaderScorer(rated).name == VaderScorer(str(rated)).name


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read .*give its path"),
        ("good 2.0\n", "line 1: 'good 2.0'; expected a token, a tab and a rating"),
        ("good\tnan\n", "line 1"),
        ("good\t5\n", "rating from −4 to 4"),
        ("\n", "has no words"),
    ],
)
def test_a_bad_rated_list_is_one_clear_error(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "rated.txt"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=message):
        VaderScorer(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no column 'word' or 'positive' or 'negative'"),
        ("Word,Positive\nA,1\n", "no column 'negative'"),
        ("Word,Positive,Negative\nA,x,0\n", "line 2: .*expected a word and a number"),
        ("Word,Positive,Negative\nA\n", "line 2"),
        ("Word,Positive,Negative\nA,2009,0\n", "no positive or no negative words"),
    ],
)
def test_a_bad_dictionary_is_one_clear_error(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "master.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        LoughranMcDonaldScorer(path)
