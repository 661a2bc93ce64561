"""The HTTP interface of one engine: routes under ``/v1``, documented at ``/docs``. It knows nothing of Ray."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Any

import pandas as pd
from fastapi import FastAPI, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from pydantic_core import to_json

from configs.schema import Kind, ServeConfig
from serving.answers import KINDS, Prediction, PredictionRequest, PredictionResponse
from serving.engine import PredictionEngine
from serving.web.bodies import (
    Bar,
    ErrorResponse,
    ModelFacts,
    PredictionsRequest,
    PredictionsResponse,
    Symbol,
    SymbolFacts,
)
from serving.web.errors import handle_errors, invalid, problem
from serving.web.gate import Gate, OverloadedError
from serving.web.guard import Guard
from serving.web.keys import Keys
from serving.web.limits import RateLimit
from serving.web.meter import Meter

_COLUMNS = ["date", "open", "high", "low", "close", "volume"]
_JSON = "application/json"
_BATCH = 256
_ABOUT = """Calibrated price-direction and volatility forecasts of many symbols, each beside its model's version.

Daily direction is close to unpredictable: read the probabilities, not the label. `/v1/models` holds every model's
figures on an untouched test period beside those of its baselines."""

Batch = Sequence[PredictionRequest]


def build_api(
    engine: PredictionEngine, config: ServeConfig, *, keys: Keys | None = None, meter: Meter | None = None
) -> FastAPI:
    """Return the application that answers from an engine.

    Parameters
    ----------
    engine
        Where answers come from.
    config
        Limits of bodies, rates, queues and times.
    keys
        Who may ask; everybody if None.
    meter
        Told of requests and batches.
    """
    meter = meter or Meter()
    gate = Gate(_working(engine, meter), largest=_BATCH, most=config.max_queued)
    api = FastAPI(
        title="Fleetcast",
        version="1",
        description=_ABOUT,
        redoc_url=None,
        responses={code: {"model": ErrorResponse} for code in (401, 413, 422, 429, 503)},
    )
    handle_errors(api)
    rate = None if config.requests_per_minute is None else RateLimit(config.requests_per_minute)
    api.add_middleware(
        Guard,
        keys=keys,
        rate=rate,
        max_body=int(config.max_body_mib * 2**20),
        timeout_s=config.timeout_s,
        note=meter.request,
    )

    async def predictions(request: Request) -> Response:
        start = time.perf_counter()
        try:
            asked = PredictionsRequest.model_validate_json(await request.body())
        except ValidationError as error:
            return invalid(error, "body")
        if not asked.bars:
            state, items = engine.render(asked.wanted, asked.kinds)
            meter.snapshot(len(items), sum(symbol not in state.newest for symbol in asked.wanted))
            return _envelope(items, state.versions, start)
        batch = [
            PredictionRequest(symbol, _frame(asked.bars[symbol]) if symbol in asked.bars else None, asked.kinds)
            for symbol in asked.wanted
        ]
        try:
            answers = await gate.submit(batch, len(batch))
        except OverloadedError as error:
            return problem(503, "overloaded", str(error), retry_after_s=1)
        return _envelope([to_json(one.prediction) for one in answers], answers[0].versions, start)

    # FastAPI's own parsing and serialising takes longer than the answer. This route answers; the next documents it.
    api.add_route("/v1/predictions", predictions, methods=["POST"])

    @api.post("/v1/predictions", response_model=PredictionsResponse, tags=["predictions"])
    async def predict(body: PredictionsRequest) -> Any:
        """Forecast symbols from the newest bars that the server holds, or from bars that are sent.

        Each symbol has its own item, with a forecast or an error: one bad symbol never fails the others.
        """

    @api.get(
        "/v1/predictions/{symbol:path}",
        response_model=Prediction,
        responses={404: {"model": Prediction}},
        tags=["predictions"],
    )
    async def predict_one(
        symbol: Annotated[Symbol, Path(description="Such as AAPL; ^GSPC is spelled %5EGSPC.")],
        types: Annotated[tuple[Kind, ...], Query(min_length=1, max_length=2)] = KINDS,
    ) -> Response:
        """Forecast one symbol from the newest bars; 404 with the reason where there is no forecast."""
        kinds = tuple(kind for kind in KINDS if kind in types)
        state, (item,) = engine.render([symbol], kinds)
        found = state.prediction(symbol, kinds)
        status = 404 if found.direction is None and found.volatility is None else 200
        return Response(item, status, media_type=_JSON)

    @api.get("/v1/symbols", response_model=list[SymbolFacts], tags=["models"])
    async def symbols() -> Response:
        """List every symbol that a model holds, with its newest bar."""
        state = engine.state
        facts = []
        for symbol in state.symbols:
            as_of, close = state.newest.get(symbol, (None, None))
            kinds = [kind for kind, fleet in state.fleets.items() if symbol in fleet.position]
            facts.append(
                {"symbol": symbol, "kinds": kinds, "as_of": as_of.isoformat() if as_of else None, "close": close}
            )
        return Response(to_json(facts), media_type=_JSON)

    @api.get("/v1/models", response_model=list[ModelFacts], tags=["models"])
    async def models() -> Response:
        """Tell which versions serve, and how they did on the untouched test period beside their baselines."""
        facts = [
            {
                "kind": kind,
                "version": fleet.version,
                "created": fleet.created.isoformat(),
                "symbols": len(fleet.position),
                "metrics": dict(fleet.metrics),
            }
            for kind, fleet in engine.state.fleets.items()
        ]
        return Response(to_json(facts), media_type=_JSON)

    @api.get("/v1/stats", tags=["health"])
    async def stats() -> dict[str, Any]:
        """Tell what this replica has answered and how fast, and whether its models and bars are as they should be."""
        return {"health": engine.health_check(), "performance": engine.get_performance_stats()}

    @api.get("/v1/health/live", tags=["health"])
    async def live() -> dict[str, str]:
        """Answer as long as the process does."""
        return {"status": "ok"}

    @api.get("/v1/health/ready", tags=["health"])
    async def ready() -> JSONResponse:
        """Answer 200 when forecasts can be given; ``degraded`` if ``/v1/stats`` has something to tell."""
        return JSONResponse({"status": engine.health_check()["status"]})

    return api


def _working(engine: PredictionEngine, meter: Meter) -> Any:
    """Return what the gate's thread does: the requests of several clients as one batch."""

    def work(batches: Sequence[Batch]) -> list[list[PredictionResponse]]:
        answers = engine.predict_batch([one for batch in batches for one in batch])
        meter.batch(answers, 0)
        out, start = [], 0
        for batch in batches:
            out.append(answers[start : start + len(batch)])
            start += len(batch)
        return out

    return work


def _envelope(items: Sequence[bytes], versions: Any, start: float) -> Response:
    head = to_json({"versions": versions, "processing_ms": round(1e3 * (time.perf_counter() - start), 3)})
    return Response(b'{"predictions":[' + b",".join(items) + b"]," + head[1:], media_type=_JSON)


def _frame(rows: list[Bar]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=_COLUMNS)
