"""Errors as responses: one shape, ``{"error": {"code", "message", "details"}}``."""

from __future__ import annotations

import logging
import math

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from serving.web.plain_errors import plain_message

_log = logging.getLogger(__name__)

_MAX_DETAILS, _MAX_MESSAGE = 20, 200
_CODES = {400: "bad_request", 401: "unauthorized", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}


def error_response(
    status: int,
    code: str,
    message: str,
    *,
    details: list[dict[str, str]] | None = None,
    retry_after_s: float | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """Return an error response; ``retry_after_s`` is rounded up to whole seconds."""
    extra = dict(headers or {})
    if retry_after_s is not None:
        extra["Retry-After"] = str(max(1, math.ceil(retry_after_s)))
    body = {"error": {"code": code, "message": message, "details": details or []}}
    return JSONResponse(body, status, headers=extra)


def invalid_response(
    error: ValidationError | RequestValidationError, *place: str, fields: tuple[str, ...] = ()
) -> JSONResponse:
    """Return 422 with the path and reason of each error; ``fields`` are those that the body may have."""
    found = error.errors(include_url=False) if isinstance(error, ValidationError) else list(error.errors())
    inner = {item["loc"][:n] for item in found for n in range(len(item["loc"]))}
    # A list that is too short because an item of it is invalid has one error, that of the item.
    found = [item for item in found if item["loc"] not in inner] or found
    details = [
        {
            "path": ".".join(str(part)[:80] for part in (*place, *item["loc"])),
            "message": plain_message(item, fields)[:_MAX_MESSAGE],
        }
        for item in found[:_MAX_DETAILS]
    ]
    message = f"{details[0]['path']}: {details[0]['message']}" if details else "the request does not fit"
    return error_response(
        422, "invalid", message + (f" (and {len(found) - 1} more)" * (len(found) > 1)), details=details
    )


def handle_errors(api: FastAPI) -> None:
    """Give every error of an application this shape."""

    @api.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return invalid_response(error)

    @api.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        code = _CODES.get(error.status_code, "error")
        return error_response(error.status_code, code, str(error.detail), headers=dict(error.headers or {}))

    @api.exception_handler(Exception)
    async def _unexpected(request: Request, error: Exception) -> JSONResponse:
        _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return error_response(500, "internal", "the server failed; its log has the reason")
