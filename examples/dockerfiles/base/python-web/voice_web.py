"""A web application with the platform's health endpoints."""

from fastapi import FastAPI, Response
from voice.health import Components, answer


def make_app(components: Components) -> FastAPI:
    """Return an application that answers on `/health`, `/health/live` and `/health/ready`."""
    app = FastAPI()

    @app.get("/health")
    @app.get("/health/{which}")
    def health(response: Response, which: str = "") -> dict:
        response.status_code, body = answer(f"/health/{which}".rstrip("/"), components)
        return body

    return app
