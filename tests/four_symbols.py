"""Limits of portfolios of four symbols, two of which are a group, for properties of strategies."""

import numpy as np
from hypothesis import strategies as st

from configs.strategy import CapConfig

GROUP = np.array([0, 0, 1, 2])
CORRELATION = np.full((4, 4), 0.3) + 0.7 * np.eye(4)
CAPS = st.builds(
    CapConfig,
    name=st.floats(0.05, 1.0),
    gross=st.floats(0.1, 2.0),
    net=st.floats(0.0, 1.0),
    group=st.floats(0.05, 1.0),
    volatility=st.none() | st.floats(0.02, 0.5),
)
