"""A FastAPI application with what every service has: health, traces, 503 for what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from voiceplatform.components import Components
from voiceplatform.health import health_routes
from voiceplatform.resource import NotReadyError, Resource
from voiceplatform.tracing import trace

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_service(
    name: str,
    *,
    resources: Iterable[Resource[Any]] = (),
    components: Components | None = None,
    lifespan: Lifespan | None = None,
) -> FastAPI:
    """Create a service; its resources become components and begin to load at once."""
    components = components or Components()
    for resource in resources:
        components.add(resource.name, resource.status)
        resource.status()
    app = FastAPI(title=name, lifespan=lifespan, exception_handlers={NotReadyError: _not_ready})
    app.router.routes.extend(health_routes(name, components))
    trace(app)
    return app


def _not_ready(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=503)
