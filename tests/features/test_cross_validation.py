"""Folds by time: no label of train reaches into test, whatever the order of the rows."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

from configs.errors import ConfigError, DataError
from features import PurgedWalkForward

DAYS = pd.bdate_range("2020-01-01", periods=200)


def test_train_ends_before_test_by_the_horizon_and_the_embargo():
    X = pd.DataFrame({"x": range(200)}, DAYS)
    folds = list(PurgedWalkForward(4, horizon=5, embargo=3, test_fraction=0.4).split(X))
    assert [test[0] for _, test in folds] == [120, 140, 160, 180]
    np.testing.assert_array_equal(np.concatenate([test for _, test in folds]), np.arange(120, 200))
    assert all(train[0] == 0 and test[0] - train[-1] == 9 for train, test in folds)


def test_all_symbols_share_the_dates_in_any_order():
    index = pd.MultiIndex.from_product([["A", "B", "C"], DAYS], names=["symbol", "date"])
    X = pd.DataFrame({"x": 1.0}, index).sample(frac=1.0, random_state=0)
    forms = (X, X.reset_index(), X["x"])
    for form in forms:
        for train, test in PurgedWalkForward(3, horizon=2).split(form):
            assert X.index[train].get_level_values(1).max() < X.index[test].get_level_values(1).min() - pd.Timedelta(
                "2D"
            )
            assert len(test) % 3 == 0
    np.testing.assert_array_equal(*(next(PurgedWalkForward(3).split(form))[0] for form in forms[:2]))


@pytest.mark.parametrize("form", ["index", "columns"])
def test_labels_of_symbols_with_different_calendars_end_before_test(form):
    days, horizon, embargo = pd.date_range("2020-01-01", periods=400), 5, 3
    weekdays = pd.bdate_range(days[0], days[-1])
    parts = [("BTC", days), ("AAPL", weekdays), ("GONE", weekdays[:150])]
    index = pd.MultiIndex.from_tuples([(name, day) for name, own in parts for day in own], names=["symbol", "date"])
    X = pd.DataFrame({"x": 1.0}, index).sample(frac=1.0, random_state=0)
    by_time = X.reset_index().sort_values("date")
    ends = by_time.groupby("symbol")["date"].shift(-horizon).set_axis(pd.MultiIndex.from_frame(by_time[X.index.names]))
    ends = ends.loc[X.index].to_numpy()
    found = list(
        PurgedWalkForward(4, horizon=horizon, embargo=embargo).split(X if form == "index" else X.reset_index())
    )
    for train, test in found:
        first = X.index[test].get_level_values("date").min()
        assert ends[train].max() == first - pd.Timedelta(days=embargo + 1), (
            "NaT, of GONE's last rows, would not compare"
        )
        assert not set(np.flatnonzero(ends < first - pd.Timedelta(days=embargo))) - set(train), "no row is lost"
        assert set(X.index[test].get_level_values("symbol")) >= {"BTC", "AAPL"}


def test_scikit_learn_takes_it():
    X = np.random.default_rng(0).normal(size=(200, 2))
    found = cross_val_score(LogisticRegression(), X, X[:, 0] > 0, cv=PurgedWalkForward(3))
    assert len(found) == PurgedWalkForward(3).get_n_splits() and found.min() > 0.8


def test_mistakes_are_one_clear_error():
    with pytest.raises(DataError, match="10 dates are too few for 5 folds"):
        list(PurgedWalkForward(5, horizon=5).split(np.zeros((10, 1))))
    with pytest.raises(DataError, match="X is a int"):
        list(PurgedWalkForward().split(3))
    with pytest.raises(ConfigError, match="n_splits has value 'five'"):
        PurgedWalkForward("five")
