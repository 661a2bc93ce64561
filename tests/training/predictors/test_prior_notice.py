"""A direction model that has learnt nothing says so when it is fitted."""

import numpy as np
import pytest

from training import PriceDirectionPredictor


@pytest.mark.slow
def test_forecasts_that_are_the_prior_are_noticed_and_others_are_not(make_universe, planted_case, tiny_config, caplog):
    config, bars = planted_case
    PriceDirectionPredictor(config).fit(bars)
    assert not caplog.records
    (walk,) = make_universe(("WALK",), bars=300)
    noise = np.random.default_rng(1).permutation(np.diff(np.log(walk.close)))
    close = 50.0 * np.exp(np.concatenate([[0.0], np.cumsum(noise)]))
    quiet = tiny_config("direction.strategy=per_symbol")
    fitted = PriceDirectionPredictor(quiet).fit({"WALK": list(zip(walk.dates.astype(str), close, strict=True))})
    probabilities = fitted.predict_proba({"WALK": list(zip(walk.dates.astype(str), close, strict=True))})
    assert np.ptp(probabilities.to_numpy()[-50:], axis=0).max() < 0.01
    assert "direction of WALK: validation shows no pattern" in caplog.text
