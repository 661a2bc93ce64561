"""Forecasts of a date for a step, also where a version that should make them was deleted."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from configs.errors import FleetcastError, ModelError
from configs.values import Kind
from features.bars.closes import bar_date
from serving.bot.closed_bars import Row
from serving.bot.feed import Feed
from serving.journal.database import Journal
from serving.journal.predictions import PredictionRow, as_shadow, made_before
from serving.retraining.shadows import open_shadows

_log = logging.getLogger(__name__)


def forecasts_of(
    feed: Feed,
    journal: Journal,
    row: Row,
    made_by: str,
    versions: Mapping[Kind, str],
    own: Mapping[Kind, str],
) -> list[PredictionRow]:
    """Return the forecasts of the bars of a date.

    Parameters
    ----------
    made_by
        The bot, as predictions name it.
    versions
        By which they are forecast.
    own
        Those of them by which the bot has forecast them before, and was interrupted. If one was deleted since, the
        stored forecasts are returned.

    Raises
    ------
    ModelError
        Another version cannot be read.
    """
    try:
        return feed.forecasts(row, versions, made_by)
    except ModelError as error:
        if not own:
            raise
        _log.warning("the stored forecasts of %s are used: %s", row.instant.isoformat(), error)
    others = {kind: version for kind, version in versions.items() if kind not in own}
    with journal.connect() as connection:
        found = made_before(connection, made_by, bar_date(row.date))
    return found + (feed.forecasts(row, others, made_by) if others else [])


def shadow_forecasts(feed: Feed, journal: Journal, row: Row, made_by: str) -> list[PredictionRow]:
    """Return the forecasts of former champions that are compared with their successors."""
    with journal.connect() as connection:
        versions = open_shadows(connection)
    if not versions:
        return []
    try:
        return as_shadow(feed.forecasts(row, versions, made_by))
    except FleetcastError as error:  # it may have been deleted; nothing is traded on it
        _log.warning("no forecasts of the former champion: %s", error)
        return []
