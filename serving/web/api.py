"""The HTTP interface of a prediction service: routes under ``/v1``, documented at ``/docs``. Independent of Ray."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from pydantic import ValidationError
from pydantic_core import from_json, to_json

from configs.errors import FleetcastError
from configs.operation import ServeConfig
from configs.values import Kind
from serving.answers import KINDS, Prediction
from serving.web.batcher import OverloadedError
from serving.web.bodies import (
    ErrorResponse,
    History,
    ModelFacts,
    PredictionsRequest,
    PredictionsResponse,
    Symbol,
    SymbolFacts,
    oversize_reason,
)
from serving.web.error_responses import error_response, handle_errors, invalid_response
from serving.web.guard import Guard
from serving.web.hosts import Hosts
from serving.web.keys import Keys
from serving.web.live_bots import LiveBots
from serving.web.live_monitoring import LiveMonitoring
from serving.web.live_routes import add_live
from serving.web.meter import Meter
from serving.web.page import add_page
from serving.web.prediction_service import AnswerBatch, PredictionService
from serving.web.reports import add_reports
from training.registry.reports import Reports

_JSON = "application/json"
_LARGE_BODY = 65_536  # bytes from which a body's size is checked before it is validated
_DESCRIPTION = """Calibrated price-direction and volatility forecasts of many symbols, each with its model's version.

Daily direction is close to unpredictable: read the probabilities, not the label. `/v1/models` has every model's
metrics on an untouched test period, with those of its baselines."""


def build_api(
    service: PredictionService,
    config: ServeConfig,
    *,
    keys: Keys | None = None,
    meter: Meter | None = None,
    host: str | None = None,
    reports: Reports | None = None,
    monitoring: LiveMonitoring | None = None,
    bots: LiveBots | None = None,
) -> FastAPI:
    """Return the application that serves a prediction service.

    Parameters
    ----------
    service
        The source of answers.
    config
        Limits of bodies, rates, queues and times.
    keys
        Valid API keys; without keys every client is admitted.
    meter
        Records requests.
    host
        Address that the server listens at, which decides the ``Host`` headers that are answered; None: not known.
    reports
        Tear sheets that the page links; None: there are none.
    monitoring
        What live forecasts are worth; None without a journal.
    bots
        The trading bots; None without a journal.
    """
    meter = meter or Meter()
    api = FastAPI(
        title="Fleetcast",
        version="1",
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        responses={code: {"model": ErrorResponse} for code in (401, 408, 413, 421, 422, 429, 503)},
        dependencies=[Depends(HTTPBearer(auto_error=False))] if keys is not None else [],  # for the documentation
    )
    handle_errors(api)
    names = Hosts(host, config.hosts, has_keys=keys is not None)
    api.add_middleware(Guard, config=config, keys=keys, hosts=names, observe=meter.request)

    async def predictions(request: Request) -> Response:
        start = time.perf_counter()
        body = await request.body()
        if len(body) > _LARGE_BODY and (reason := oversize_reason(body)):
            return error_response(422, "invalid", reason)
        try:
            wanted = PredictionsRequest.model_validate_json(body)
        except ValidationError as error:
            return invalid_response(error, "body", fields=tuple(PredictionsRequest.model_fields))
        try:
            return _predictions_response(await service.answer(wanted.wanted, wanted.kinds, wanted.bars), start)
        except OverloadedError as error:
            return error_response(503, "overloaded", str(error), retry_after_s=1)

    # FastAPI's own parsing and serialising takes longer than the answer. This route answers; the next documents it.
    api.add_route("/v1/predictions", predictions, methods=["POST"])

    @api.post("/v1/predictions", response_model=PredictionsResponse, tags=["predictions"])
    async def predict(body: PredictionsRequest) -> Any:
        """Forecast symbols from the server's newest bars, or from bars in the request.

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
        types: Annotated[tuple[Kind, ...] | None, Query(min_length=1, max_length=len(KINDS))] = None,
    ) -> Response:
        """Forecast one symbol from the newest bars; 404 with the reason if there is no forecast.

        ``types`` are by default all kinds that are served.
        """
        kinds = None if types is None else tuple(kind for kind in KINDS if kind in types)
        batch = await service.answer([symbol], kinds)
        return Response(batch.items[0], 200 if batch.has_forecast[0] else 404, media_type=_JSON)

    @api.get("/v1/symbols", response_model=list[SymbolFacts], tags=["models"])
    async def symbols() -> Response:
        """List every symbol that is served, with its newest bar."""
        return Response(to_json(await service.symbols()), media_type=_JSON)

    @api.get(
        "/v1/history/{symbol:path}",
        response_model=History,
        responses={404: {"model": ErrorResponse}},
        tags=["predictions"],
    )
    async def history(
        symbol: Annotated[Symbol, Path(description="Such as AAPL.")],
        bars: Annotated[int, Query(ge=1, le=2500, description="Number of the last bars.")] = 250,
    ) -> Response:
        """Return a symbol's out-of-sample forecasts and their outcomes."""
        try:
            found = await service.history(symbol, bars)
        except (FleetcastError, OverloadedError) as error:
            return error_response(503, "unavailable", str(error), retry_after_s=5)
        if found is None:
            (item,) = (await service.answer([symbol], None)).items  # its error suggests the nearest symbol
            return error_response(404, "unknown_symbol", from_json(item)["error"]["message"])
        return Response(to_json(found), media_type=_JSON)

    @api.get("/v1/models", response_model=list[ModelFacts], tags=["models"])
    async def models() -> Response:
        """Return the versions that are served, and their metrics and baselines on the untouched test period."""
        return Response(to_json(await service.models()), media_type=_JSON)

    @api.get("/v1/stats", tags=["health"])
    async def stats() -> dict[str, Any]:
        """Return this replica's counts and processing times, and the health of its models and bars."""
        return await service.stats()

    @api.get("/v1/health/live", tags=["health"])
    async def live() -> dict[str, str]:
        """Return 200 as long as the process runs."""
        return {"status": "ok"}

    @api.get("/v1/health/ready", tags=["health"])
    async def ready() -> JSONResponse:
        """Return 200 when forecasts are available, else 503.

        The status is ``ok``, ``stale`` or ``degraded``; ``/v1/stats`` has the reasons.
        """
        status = await service.status()
        return JSONResponse({"status": status}, 503 if status == "unavailable" else 200)

    add_live(api, monitoring, bots)
    add_reports(api, reports)
    add_page(api)
    return api


def _predictions_response(batch: AnswerBatch, start: float) -> Response:
    rest = to_json({"versions": batch.versions, "processing_ms": round(1e3 * (time.perf_counter() - start), 3)})
    return Response(b'{"predictions":[' + b",".join(batch.items) + b"]," + rest[1:], media_type=_JSON)
