"""Serves the Flask application beside the health answers that every service gives."""

from __future__ import annotations

from a2wsgi import WSGIMiddleware
from fastapi import FastAPI

from app.hooks import hooks
from voiceplatform.components import READY, Components, Status, waiting
from voiceplatform.resource import environment
from voiceplatform.service import create_service


def secret() -> Status:
    """Events can be checked once the shared secret is known."""
    missing = environment("WEBHOOK_SECRET")()
    return waiting(missing) if missing else READY


components = Components()
components.add("secret", secret)
app: FastAPI = create_service("webhook", components=components)
app.mount("/", WSGIMiddleware(hooks))  # type: ignore[arg-type]
