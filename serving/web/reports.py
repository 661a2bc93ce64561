"""Tear sheets of the store over HTTP: their names under ``/v1``, and the newest one as a page."""

from __future__ import annotations

from fastapi import FastAPI, Response
from pydantic_core import to_json

from configs.errors import StoreError
from serving.web.bodies import ReportFacts
from serving.web.error_responses import error_response
from training.registry.reports import Reports

# Scripts of the page run in an origin of their own, which has neither the page's API key nor access to the server.
_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_HEADERS = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def add_reports(api: FastAPI, reports: Reports | None) -> None:
    """Add the routes; without ``reports`` there are no tear sheets. The guard asks for a key on both."""

    @api.get("/v1/reports", response_model=list[ReportFacts], tags=["models"])
    def list_reports() -> Response:
        """List the tear sheets of backtests, the newest first; `/reports/latest` is the newest one."""
        try:
            found = [] if reports is None else reports.newest_first()
        except StoreError as error:
            return error_response(503, "unavailable", str(error), retry_after_s=5)
        return Response(to_json([report._asdict() for report in found]), media_type="application/json")

    @api.get("/reports/latest", include_in_schema=False)
    def latest_report() -> Response:
        try:
            page = None if reports is None else reports.newest()
        except StoreError as error:
            return error_response(503, "unavailable", str(error), retry_after_s=5)
        if page is None:
            message = "the store has no tear sheet; make one: fleetcast backtest --report FILE.html"
            return error_response(404, "no_report", message)
        return Response(page, media_type="text/html; charset=utf-8", headers=_HEADERS)
