"""From forecasts to positions: pure functions that a backtest and a trading bot share.

A strategy says which positions it wants (``strategies/``); :func:`~training.strategy.pipeline.decide` filters, sizes
and limits them, and gives every position of 0 its reason. Nothing in here reads a store or trades.
"""
