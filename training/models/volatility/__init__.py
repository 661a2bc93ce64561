"""The parts of a volatility forecast, each a fleet: plain arrays with a leading symbol axis.

A part turns bars into per-row inputs (causal: row t uses bars ≤ t) and inputs into forecasts of the mean per-bar
variance over the next ``horizon`` bars: ``fleet.forecast(inputs, index)``, with ``index`` naming each row's place in
the fleet, so any mix of symbols is one gather. A forecast is positive, or NaN where the part has none.
"""
