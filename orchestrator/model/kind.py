"""What an image is called, what role it has, and how it is defined."""

from __future__ import annotations

import re
from enum import Enum


class ImageKind(Enum):
    """What role an image has in the tree."""

    BASE = "base"
    SERVICE = "service"


class Definition(Enum):
    """How an image is defined, and so which engine makes it."""

    RECIPE = "recipe"
    DOCKERFILE = "dockerfile"


_NAME = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")


def is_image_name(name: str) -> bool:
    """Tell whether a name can be a repository's last component (OCI distribution, pulling)."""
    return _NAME.fullmatch(name) is not None
