"""Serves the page; gradio takes seconds to import, so health answers before the page is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from voiceplatform import settings
from voiceplatform.components import READY, Components, Status, waiting
from voiceplatform.service import create_service

SERVICES = settings.pairs("TESTED_SERVICES") or {"this page": "http://127.0.0.1:7860"}


class LatePage:
    """An application that is built in the background, and says so until it is there."""

    def __init__(self) -> None:
        self._page: ASGIApp | None = None
        self._error = ""

    def status(self) -> Status:
        return READY if self._page else waiting(self._error or "loading")

    async def run(self) -> None:
        """Build the page and keep it running until cancelled."""
        try:
            page = await asyncio.to_thread(_build)
        except Exception as error:
            self._error = f"{type(error).__name__}: {error}"
            return
        async with page.router.lifespan_context(page):
            self._page = page
            await asyncio.Event().wait()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        page = self._page or PlainTextResponse("the page is loading\n", status_code=503)
        await page(scope, receive, send)


def _build() -> FastAPI:
    from app.page import build_page

    return build_page(SERVICES)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Run the page beside the health answers."""
    task = asyncio.create_task(page.run())
    yield
    task.cancel()
    await asyncio.wait([task])


page = LatePage()
components = Components()
components.add("page", page.status)
app: FastAPI = create_service("testing", components=components, lifespan=lifespan)
app.mount("/", page)
