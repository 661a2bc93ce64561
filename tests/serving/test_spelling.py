"""The nearest spelling of a symbol, in constant time."""

import pytest
from processor_time import assert_fast

from serving.answers import PredictionRequest
from serving.spelling import Spelling

KNOWN = Spelling({"AAPL", "BRK-B", "^GSPC", "IBM", "EURUSD=X", "F", "BTC-USD"})


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        *(
            ("aapl", "AAPL"),
            ("APPL", "AAPL"),
            ("AALP", "AAPL"),
            ("AAPLE", "AAPL"),
            ("brk.b", "BRK-B"),
            ("GSPC", "^GSPC"),
        ),
        *(("eurusd", "EURUSD=X"), ("btcusd", "BTC-USD"), ("f", "F"), ("IBN", "IBM")),
        *(("T", None), ("", None), ("$$$", None), ("MSFT", None), ("AAPL", None)),
    ],
)
def test_the_nearest_symbol_is_found(given, meant):
    assert KNOWN.nearest(given) == meant


@pytest.mark.slow
def test_thousands_of_unknown_symbols_among_thousands_take_no_time():
    spelling = Spelling({f"S{i:05d}" for i in range(5000)})

    def ask() -> None:
        for i in range(5000):
            spelling.nearest(f"X{i:05d}" * 9)
            spelling.nearest(f"S{i:05d}9")

    assert_fast(ask, 3.0)


def test_an_unknown_symbol_is_told_the_nearest_one_and_what_it_may_send(engine):
    message = engine.predict_single(PredictionRequest("aaa")).error.message
    assert message.startswith("no model of 'aaa'; did you mean AAA? 5 symbols are served (AAA, BBB, CCC, …).")
    assert "To forecast another symbol, send its bars" in message
    other = engine.predict_single(PredictionRequest("nosuch")).error.message
    assert other.startswith("no model of 'nosuch'; 5 symbols are served")
