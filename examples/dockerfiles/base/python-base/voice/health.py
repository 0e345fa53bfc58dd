"""Health of a service: it lives, and it is ready when all its components are."""

import json
import sys
import urllib.request
from collections.abc import Callable, Mapping

Components = Mapping[str, Callable[[], bool]]


def answer(path: str, components: Components) -> tuple[int, dict]:
    """Return the status and the body for one of `/health`, `/health/live`, `/health/ready`."""
    if path != "/health/ready":
        return 200, {"status": "ok"}
    states = {name: is_ready() for name, is_ready in components.items()}
    body = {"status": "ready" if all(states.values()) else "waiting", "components": states}
    return (200 if all(states.values()) else 503), body


if __name__ == "__main__":  # the HEALTHCHECK of every service: python -m voice.health URL
    with urllib.request.urlopen(sys.argv[1], timeout=3) as response:
        print(json.load(response)["status"])
