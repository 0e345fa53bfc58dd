"""Serves the dashboard and the health answers as one ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from streamlit.runtime import exists
from streamlit.starlette import App

from voiceplatform.components import READY, Components, Status, waiting
from voiceplatform.health import health_routes
from voiceplatform.logs import take_over_loggers


def runtime() -> Status:
    """The dashboard can be shown once Streamlit's runtime is up."""
    return READY if exists() else waiting("starting")


@asynccontextmanager
async def lifespan(_: App) -> AsyncIterator[None]:
    """Undo what Streamlit does to logs while it is imported."""
    take_over_loggers()
    yield


components = Components()
components.add("streamlit", runtime)
app = App(
    Path(__file__).with_name("dashboard.py"),
    lifespan=lifespan,
    routes=health_routes("monitoring", components),
)
