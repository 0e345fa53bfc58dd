"""Tags of published images: templates, and the tag that an image's content has."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

PLACEHOLDERS = ("version", "commit", "date", "fingerprint")

TAG_HINT = "tags are of letters, digits, _ . and -, up to 128"
TEMPLATE_HINT = f"{TAG_HINT}; placeholders are " + ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_BRACES = re.compile(r"\{([^{}]*)\}")
_CONTENT_DIGITS = 32


def template_problem(template: str) -> str:
    """Return what is wrong with a template of a tag, or nothing."""
    for name in _BRACES.findall(template):
        if name not in PLACEHOLDERS:
            return f"unknown placeholder {{{name}}} in tag {template!r}"
    if not is_tag(_BRACES.sub("x", template)):
        return f"{template!r} cannot be a tag"
    return ""


def expand_template(template: str, values: Mapping[str, Callable[[], str]]) -> str:
    """Put values into a template; one is asked for only where the template wants it.

    What a tag may not hold, such as the `+` of a version, becomes `-`.
    """
    text = _BRACES.sub(lambda match: values[match[1]](), template)
    return re.sub(r"[^A-Za-z0-9._-]", "-", text)[:128]


def content_tag(fingerprint: str) -> str:
    """Return the tag that says what an image was made from, on one platform."""
    return f"fp-{fingerprint[:_CONTENT_DIGITS]}"


def inventory_tag(layer_key: str) -> str:
    """Return the tag under which it says what the packages of a layer hold."""
    return f"pk-{layer_key[:_CONTENT_DIGITS]}"


def is_tag(text: str) -> bool:
    """Tell whether a text can be a tag (OCI distribution specification, "Pulling manifests")."""
    return _TAG.fullmatch(text) is not None
