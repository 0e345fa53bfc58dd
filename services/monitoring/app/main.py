"""Serves the dashboard and the health answers as one ASGI application."""

from __future__ import annotations

from pathlib import Path

from streamlit.runtime import exists
from streamlit.starlette import App

from voiceplatform.components import READY, Components, Status, waiting
from voiceplatform.health import health_routes


def runtime() -> Status:
    """The dashboard can be shown once Streamlit's runtime is up."""
    return READY if exists() else waiting("starting")


components = Components()
components.add("streamlit", runtime)
app = App(Path(__file__).with_name("dashboard.py"), routes=health_routes("monitoring", components))
