"""Serve `app.main:app` of the working folder: `python -m voiceplatform --port 8200`."""

from __future__ import annotations

import argparse

import uvicorn

from voiceplatform import settings
from voiceplatform.logs import configure_logs


def main() -> None:
    """Serve until SIGTERM, then finish what is under way for a few seconds and leave."""
    parser = argparse.ArgumentParser(prog="voiceplatform")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    configure_logs(settings.text("LOG_LEVEL", "INFO"))
    uvicorn.run(
        "app.main:app",
        host="0.0.0.0",
        port=arguments.port,
        log_config=None,
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
