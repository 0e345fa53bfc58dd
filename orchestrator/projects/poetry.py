"""Poetry's way to write dependencies, as PEP 508. Source: Poetry's dependency specification."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet


def requirement_text(name: str, spec: Mapping[str, Any]) -> str:
    """Return a dependency as a PEP 508 text.

    Raises:
        ValueError: Its version is written in a way that PEP 440 has no words for.
    """
    extras = f"[{','.join(map(str, spec['extras']))}]" if spec.get("extras") else ""
    markers = [f"({spec['markers']})"] if spec.get("markers") else []
    if python := spec.get("python"):
        markers += [f"python_version {part}" for part in _quoted(specifiers(str(python)))]
    marker = f" ; {' and '.join(markers)}" if markers else ""
    return f"{name}{extras}{specifiers(str(spec.get('version', '*')))}{marker}"


def specifiers(text: str) -> str:
    """Return a version constraint such as `^1.2` as PEP 440 specifiers.

    Raises:
        ValueError: It has alternatives, or is no constraint.
    """
    close = re.sub(r"([\^~<>=!])\s+", r"\1", text.strip())
    parts = [part for part in re.split(r"[,\s]+", close) if part]
    joined = ",".join(filter(None, map(_one, parts)))
    try:
        SpecifierSet(joined)
    except InvalidSpecifier:
        raise ValueError(f"{text!r} is no version constraint of PEP 440") from None
    return joined


def _one(part: str) -> str:
    if part == "*":
        return ""
    if part[0] == "^":
        return _up_to(part[1:], _caret(part[1:]))
    if part[0] == "~" and part[:2] != "~=":
        return _up_to(part[1:], min(1, part.count(".")))
    return part if part[0] in "<>=!~" else f"=={part}"


def _caret(version: str) -> int:
    """Return which number of a version may not grow: the first that is not zero."""
    numbers = _numbers(version)
    return next((at for at, number in enumerate(numbers) if number), len(numbers) - 1)


def _up_to(version: str, at: int) -> str:
    numbers = _numbers(version)
    above = [*numbers[:at], numbers[at] + 1]
    return f">={version},<{'.'.join(map(str, above))}"


def _numbers(version: str) -> list[int]:
    match = re.match(r"\d+(\.\d+)*", version)
    if match is None:
        raise ValueError(f"{version!r} is no version")
    return [int(number) for number in match[0].split(".")]


def _quoted(text: str) -> list[str]:
    pairs = re.findall(r"([<>=!~]+)([^,]+)", text)
    return [f"{operator} {_minor(version)!r}" for operator, version in pairs]


def _minor(version: str) -> str:
    """Return a version's first two numbers, which is all that `python_version` has."""
    return ".".join(version.split(".")[:2])
