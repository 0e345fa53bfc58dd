"""What the names of images in deployment files mean: variables, placeholders, siblings."""

from __future__ import annotations

import re

from orchestrator.siblings import SiblingNames, without_tag

_VARIABLE = re.compile(r"\$\{\w+:?-([^{}$]*)\}")
_PLACEHOLDER = re.compile(
    r"<[^<>]*>|\[[A-Za-z_ -]+\]|(?:^|[/:@._-])(?:placeholder|change[-_]?me|replace[-_]?me|tbd"
    r"|xxx+|your[-_][a-z_-]+|image[-_]name|account[-_]?id)(?=$|[/:@._-])"
    r"|^(?:[\w-]+\.)*example\.(?:com|org|net)(?::\d+)?/",
    re.IGNORECASE,
)


def with_defaults(reference: str) -> str:
    """Put the defaults of variables in their place; those without one stay."""
    return _VARIABLE.sub(r"\1", reference)


def is_placeholder(reference: str) -> bool:
    """Tell whether a reference, or a part of it, was to be filled in by somebody."""
    return _PLACEHOLDER.search(reference) is not None


def named_sibling(names: SiblingNames, reference: str) -> str:
    """Return the sibling that a reference is meant to name; empty where it means another image.

    A digest does not matter, it is to be replaced. Behind a placeholder the last part of the path
    is the name, as in `PLACEHOLDER/api:latest`.
    """
    tagged = reference.partition("@")[0]
    if found := names.find(tagged, by=""):
        return found
    last = without_tag(tagged).rpartition("/")[2]
    return (is_placeholder(reference) and names.find(last, by="")) or ""
