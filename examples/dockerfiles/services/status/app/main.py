"""Says which of the platform's services answer."""

import os

import httpx
from voice_web import make_app

SERVICES = [url for url in os.environ.get("SERVICES", "").split(",") if url]
app = make_app({})


@app.get("/")
def services() -> dict[str, bool]:
    return {url: _answers(url) for url in SERVICES}


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/live", timeout=2).is_success
    except httpx.HTTPError:
        return False
