"""The HTTP interface of one engine: routes under ``/v1``, documented at ``/docs``. It knows nothing of Ray."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from pydantic import ValidationError
from pydantic_core import to_json

from configs.errors import FleetcastError
from configs.operation import ServeConfig
from configs.values import Kind
from serving.answers import KINDS, Prediction
from serving.web.bodies import (
    ErrorResponse,
    History,
    ModelFacts,
    PredictionsRequest,
    PredictionsResponse,
    Symbol,
    SymbolFacts,
    too_many,
)
from serving.web.errors import handle_errors, invalid, problem
from serving.web.gate import OverloadedError
from serving.web.guard import Guard
from serving.web.keys import Keys
from serving.web.limits import RateLimit
from serving.web.meter import Meter
from serving.web.page import add_page
from serving.web.prediction_service import Answered, PredictionService

_JSON = "application/json"
_LARGE = 65_536  # bytes from which a body is looked at before it is validated
_ABOUT = """Calibrated price-direction and volatility forecasts of many symbols, each beside its model's version.

Daily direction is close to unpredictable: read the probabilities, not the label. `/v1/models` holds every model's
figures on an untouched test period beside those of its baselines."""


def build_api(
    service: PredictionService, config: ServeConfig, *, keys: Keys | None = None, meter: Meter | None = None
) -> FastAPI:
    """Return the application that asks a service.

    Parameters
    ----------
    service
        Where answers come from.
    config
        Limits of bodies, rates, queues and times.
    keys
        Who may ask; everybody if None.
    meter
        Told of requests.
    """
    meter = meter or Meter()
    api = FastAPI(
        title="Fleetcast",
        version="1",
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        responses={code: {"model": ErrorResponse} for code in (401, 413, 422, 429, 503)},
        dependencies=[Depends(HTTPBearer(auto_error=False))] if keys is not None else [],  # for the documentation
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
        body = await request.body()
        if len(body) > _LARGE and (told := too_many(body)):
            return problem(422, "invalid", told)
        try:
            asked = PredictionsRequest.model_validate_json(body)
        except ValidationError as error:
            return invalid(error, "body")
        try:
            return _envelope(await service.answer(asked.wanted, asked.kinds, asked.bars), start)
        except OverloadedError as error:
            return problem(503, "overloaded", str(error), retry_after_s=1)

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
        responses={404: {"model": Prediction | ErrorResponse}},
        tags=["predictions"],
    )
    async def predict_one(
        symbol: Annotated[Symbol, Path(description="Such as AAPL; ^GSPC is spelled %5EGSPC.")],
        types: Annotated[tuple[Kind, ...], Query(min_length=1, max_length=2)] = KINDS,
    ) -> Response:
        """Forecast one symbol from the newest bars; 404 with the reason where there is no forecast."""
        kinds = tuple(kind for kind in KINDS if kind in types)
        found = await service.answer([symbol], kinds)
        return Response(found.items[0], 200 if found.known[0] else 404, media_type=_JSON)

    @api.get("/v1/symbols", response_model=list[SymbolFacts], tags=["models"])
    async def symbols() -> Response:
        """List every symbol that a model holds, with its newest bar."""
        return Response(to_json(await service.symbols()), media_type=_JSON)

    @api.get(
        "/v1/history/{symbol:path}",
        response_model=History,
        responses={404: {"model": ErrorResponse}},
        tags=["predictions"],
    )
    async def history(
        symbol: Annotated[Symbol, Path(description="Such as AAPL.")],
        bars: Annotated[int, Query(ge=1, le=2500, description="How many of the last bars.")] = 250,
    ) -> Response:
        """Tell what was forecast for a symbol, out of sample, and what came true."""
        try:
            found = await service.history(symbol, bars)
        except (FleetcastError, OverloadedError) as error:
            return problem(503, "unavailable", str(error), retry_after_s=5)
        if found is None:
            return problem(404, "unknown_symbol", "no model holds this symbol; /v1/symbols lists those that are served")
        return Response(to_json(found), media_type=_JSON)

    @api.get("/v1/models", response_model=list[ModelFacts], tags=["models"])
    async def models() -> Response:
        """Tell which versions serve, and how they did on the untouched test period beside their baselines."""
        return Response(to_json(await service.models()), media_type=_JSON)

    @api.get("/v1/stats", tags=["health"])
    async def stats() -> dict[str, Any]:
        """Tell what this replica has answered and how fast, and whether its models and bars are as they should be."""
        return await service.stats()

    @api.get("/v1/health/live", tags=["health"])
    async def live() -> dict[str, str]:
        """Answer as long as the process does."""
        return {"status": "ok"}

    @api.get("/v1/health/ready", tags=["health"])
    async def ready() -> JSONResponse:
        """Answer 200 when forecasts can be given; ``degraded`` if ``/v1/stats`` has something to tell, else 503."""
        status = await service.status()
        return JSONResponse({"status": status}, 503 if status == "unavailable" else 200)

    add_page(api)
    return api


def _envelope(found: Answered, start: float) -> Response:
    head = to_json({"versions": found.versions, "processing_ms": round(1e3 * (time.perf_counter() - start), 3)})
    return Response(b'{"predictions":[' + b",".join(found.items) + b"]," + head[1:], media_type=_JSON)
