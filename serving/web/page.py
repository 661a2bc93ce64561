"""The page for people: all symbols at ``/``, one at ``/symbols/…``, trading bots at ``/bot``; it uses HTTP routes."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, Response

_STATIC = Path(__file__).parent / "static"
_PACKAGED = {
    "plotly.min.js": ("plotly", "package_data"),
    "swagger-ui-bundle.js": ("fastapi_offline", "static"),
    "swagger-ui.css": ("fastapi_offline", "static"),
}
_DAY_S = 86_400
_CONTENT_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'self'"
)


def add_page(api: FastAPI) -> None:
    """Add the page, the documentation at ``/docs`` and their files; nothing is loaded from another host."""
    files = {path.name: path for path in _STATIC.iterdir()}
    for name, (package, folder) in _PACKAGED.items():
        spec = find_spec(package)
        if spec is not None and spec.submodule_search_locations:
            files[name] = Path(spec.submodule_search_locations[0]) / folder / name

    def document(name: str) -> FileResponse:
        return FileResponse(files[name], media_type="text/html", headers={"Content-Security-Policy": _CONTENT_POLICY})

    @api.get("/", include_in_schema=False)
    async def index() -> Response:
        return document("index.html")

    @api.get("/bot", include_in_schema=False)
    async def bot() -> Response:
        return document("bot.html")

    @api.get("/symbols/{symbol:path}", include_in_schema=False)
    async def symbol(symbol: str) -> Response:
        return document("symbol.html")

    @api.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="Fleetcast",
            swagger_js_url="/static/swagger-ui-bundle.js",
            swagger_css_url="/static/swagger-ui.css",
            swagger_favicon_url="data:,",
        )

    @api.get("/static/{name}", include_in_schema=False)
    async def static(name: str) -> Response:
        if name not in files:
            return Response(status_code=404)
        age = _DAY_S if name in _PACKAGED else 60
        return FileResponse(files[name], headers={"Cache-Control": f"max-age={age}"})
