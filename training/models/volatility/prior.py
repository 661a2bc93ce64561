"""Prior coefficients and error quantiles that fits on short histories are shrunk to.

Fitted by ``python tests/benchmarks/fit_prior.py --bars equities.parquet`` on 216 US stocks (survivors), 735,497 rows
from 1999-11 to 2014-12, horizon 5, by least squares on logarithms. The regression is free of scale (:mod:`.anchor`), so
the same numbers serve a share and a coin; ``training/MEASUREMENTS.md`` shows what they are worth on crypto, currencies,
futures and funds.
"""

from __future__ import annotations

import numpy as np

# Of the anchor's terms: one; log means of 1, 5, 22 and 66 bars less the long one; falls over 1, 5 and 22 bars.
COEFFICIENTS = np.array([-0.2075, 0.1267, 0.2021, 0.1702, 0.3217, -0.0618, -0.0702, -0.1486])

# mean(y / f) of the exponential of that: what logarithms leave out.
LEVEL = 1.2909

# Second moments of the terms: how much a usual history says about each direction of the coefficients.
MOMENTS = np.array(
    [
        [1.0, -0.5477, -0.3312, -0.2071, -0.1256, -0.3535, -0.3317, -0.2724],
        [-0.5477, 1.2201, 0.6699, 0.4086, 0.247, 0.0696, 0.0834, 0.0612],
        [-0.3312, 0.6699, 0.6737, 0.3963, 0.2299, 0.0752, 0.0318, 0.0094],
        [-0.2071, 0.4086, 0.3963, 0.4053, 0.2284, 0.0751, 0.0591, 0.0062],
        [-0.1256, 0.247, 0.2299, 0.2284, 0.2139, 0.0428, 0.0369, 0.017],
        [-0.3535, 0.0696, 0.0752, 0.0751, 0.0428, 0.4621, 0.2522, 0.1542],
        [-0.3317, 0.0834, 0.0318, 0.0591, 0.0369, 0.2522, 0.4068, 0.2026],
        [-0.2724, 0.0612, 0.0094, 0.0062, 0.017, 0.1542, 0.2026, 0.2838],
    ]
)

# The 5 % and 95 % quantiles of ln(y / f).
ERROR_QUANTILES = np.array([-1.1301, 0.8168])

# The distance of the 10 % and 90 % quantiles of ln(y / f).
ERROR_SPREAD = 1.4257
