"""What symbols without a pool calibrate on: their own rows and days, not those of other symbols of their block."""

import numpy as np

from training.models.calibration.softmax_newton import softmax
from training.predictors.direction_own import calibrate_alone


def test_a_neighbours_dates_do_not_move_a_symbols_calibration():
    rng = np.random.default_rng(0)
    dates = np.busday_offset("2020-01-01", np.arange(300), roll="forward").astype("datetime64[ns]")
    early = np.busday_offset("2019-12-27", np.arange(302), roll="forward").astype("datetime64[ns]")
    z = rng.normal(0.0, 0.5, (602, 3))
    y = (rng.random(602)[:, None] > softmax(z).cumsum(axis=1)).sum(axis=1).clip(max=2)
    symbol, day = np.repeat([0, 1], [300, 302]), np.concatenate([dates, early])
    priors = np.full((2, 3), 1 / 3)
    for horizon in (1, 3, 5):
        both = calibrate_alone(z, y, symbol, day, priors, "vector", horizon)
        alone = calibrate_alone(z[:300], y[:300], symbol[:300], dates, priors[:1], "vector", horizon)
        np.testing.assert_allclose(both.parameters[0], alone.parameters[0], atol=1e-12)
        assert both.parameters[0, 0] > 0.1
