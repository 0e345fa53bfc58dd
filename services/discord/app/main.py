"""Runs the bot beside a web server: health, and interactions that Discord signs and posts to us."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from ctypes.util import find_library
from typing import Any

from fastapi import FastAPI, Header, HTTPException, Request
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from app.bot import Gateway
from voiceplatform import settings
from voiceplatform.components import READY, Components, Status, waiting
from voiceplatform.service import create_service

PING, PONG, MESSAGE = 1, 1, 4
gateway = Gateway(settings.text("DISCORD_TOKEN"))


def opus() -> Status:
    """Voice needs libopus, which is the base image's."""
    return READY if find_library("opus") else waiting("libopus is not installed")


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Keep the bot connected while the service runs."""
    task = asyncio.create_task(gateway.run())
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


components = Components()
components.add("gateway", gateway.status)
components.add("opus", opus)
app = create_service("discord", components=components, lifespan=lifespan)


@app.post("/interactions")
async def interact(
    request: Request,
    x_signature_ed25519: str = Header(),
    x_signature_timestamp: str = Header(),
) -> dict[str, Any]:
    """Answer an interaction whose signature is Discord's."""
    key = settings.text("DISCORD_PUBLIC_KEY")
    if not key:
        raise HTTPException(503, "DISCORD_PUBLIC_KEY not set")
    body = await request.body()
    try:
        signature = bytes.fromhex(x_signature_ed25519)
        VerifyKey(bytes.fromhex(key)).verify(x_signature_timestamp.encode() + body, signature)
    except (BadSignatureError, ValueError) as error:
        raise HTTPException(401, "bad signature") from error
    interaction = await request.json()
    if interaction.get("type") == PING:
        return {"type": PONG}
    ready = gateway.status().ready
    return {"type": MESSAGE, "data": {"content": "connected" if ready else "not connected"}}
