"""The health answers as Starlette routes: they fit FastAPI, Streamlit and plain Starlette."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from voiceplatform.components import Components


def health_routes(service: str, components: Components) -> list[Route]:
    """Return /health and /health/live (the process answers) and /health/ready (it can work).

    `ready` runs in a worker thread, so that a slow check blocks nobody.
    """

    async def live(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok", "service": service})

    def ready(_: Request) -> JSONResponse:
        is_ready, body = components.report()
        return JSONResponse({"service": service, **body}, status_code=200 if is_ready else 503)

    return [
        Route("/health", live),
        Route("/health/live", live),
        Route("/health/ready", ready),
    ]
