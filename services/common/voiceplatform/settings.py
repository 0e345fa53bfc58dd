"""Settings, read from the environment in one way by every service."""

from __future__ import annotations

import os
from pathlib import Path


def text(name: str, default: str = "") -> str:
    """Return a setting; one that is set to nothing counts as not set."""
    return os.environ.get(name) or default


def path(name: str, default: str) -> Path:
    """Return a setting that names a file or a folder."""
    return Path(text(name, default))


def pairs(name: str) -> dict[str, str]:
    """Return a setting of the form `key=value,key=value`."""
    entries = (entry.partition("=") for entry in text(name).split(",") if entry.strip())
    return {key.strip(): value.strip() for key, _, value in entries}
