"""Routes to what the journal has: live skill, and the trading bots."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Response

from configs.errors import FleetcastError
from serving.web.bodies import ErrorResponse
from serving.web.error_responses import error_response
from serving.web.live_bots import LiveBots
from serving.web.live_monitoring import LiveMonitoring
from serving.web.shared_answer import SharedAnswer

_RETRY_S = {"monitoring": 30, "bot": 5}


def add_live(api: FastAPI, monitoring: LiveMonitoring | None, bots: LiveBots | None) -> None:
    """Add the routes; without a journal they say how to have one."""
    documented: dict[str, Any] = {
        "response_model": dict[str, Any],
        "responses": {404: {"model": ErrorResponse}},
        "tags": ["health"],
    }

    @api.get("/v1/monitoring", **documented)
    async def live_skill() -> Response:
        """Return live skill next to baselines, sequential tests and their alarms; 404 without ``serve --journal``."""
        return await _response("monitoring", monitoring)

    @api.get("/v1/bot", **documented)
    async def bot() -> Response:
        """Return the trading bots of the journal; 404 without ``serve --journal``.

        For each: whether it lives, its schedule and newest scan, signals with reasons, waiting orders, positions and
        profits by symbol, equity and drawdown of the last 500 steps, open alerts and tasks. For all: versions that are
        compared, and trainings.
        """
        return await _response("bot", bots)


async def _response(name: str, shared: SharedAnswer | None) -> Response:
    if shared is None:
        return error_response(404, "no_journal", "nothing is journaled; start the server with --journal")
    try:
        return Response(await shared.answer(), media_type="application/json")
    except FleetcastError as error:
        return error_response(503, "unavailable", str(error), retry_after_s=_RETRY_S[name])
