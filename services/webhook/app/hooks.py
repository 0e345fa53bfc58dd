"""The Flask application: takes in events whose signature is right, and keeps the latest."""

from __future__ import annotations

import hashlib
import hmac
from collections import deque
from typing import Any

import structlog
from flask import Flask, Response, jsonify, request

from voiceplatform import settings

KEPT = 100
log = structlog.get_logger()
hooks = Flask(__name__)
hooks.config["MAX_CONTENT_LENGTH"] = 1_000_000
latest: deque[dict[str, Any]] = deque(maxlen=KEPT)


def is_signed(secret: str, body: bytes, signature: str) -> bool:
    """Tell whether `sha256=HEX` is the body's HMAC; takes the same time for every wrong one."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(f"sha256={digest}".encode(), signature.encode())


@hooks.post("/hooks/<source>")
def receive(source: str) -> tuple[Response, int]:
    """Take in an event."""
    secret = settings.text("WEBHOOK_SECRET")
    if not secret:
        return jsonify(detail="WEBHOOK_SECRET not set"), 503
    if not is_signed(secret, request.get_data(), request.headers.get("X-Hub-Signature-256", "")):
        return jsonify(detail="bad signature"), 401
    event = {"source": source, "event": request.get_json(silent=True)}
    latest.append(event)
    log.info("event", source=source)
    return jsonify(accepted=True), 202


@hooks.get("/hooks")
def show() -> Response:
    """Return how many of the latest events each source sent."""
    counts: dict[str, int] = {}
    for event in latest:
        counts[event["source"]] = counts.get(event["source"], 0) + 1
    return jsonify(counts)
