"""What Compose files say of the images they build. The one module here that reads YAML."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

_FILE = re.compile(r"(docker-)?compose([.-][\w.-]+)?\.ya?ml")
_VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|\w+|\{\w+(?::?-(?P<default>[^{}$]*))?\}|.?)")


@dataclass(frozen=True, slots=True)
class ComposeBuild:
    """A service's `build`, its paths from the root; what holds unknown variables is left out."""

    file: str
    service: str
    image: str
    context: PurePosixPath
    dockerfile: PurePosixPath
    target: str = ""
    args: Mapping[str, str] = field(default_factory=dict)

    @property
    def way(self) -> tuple[Any, ...]:
        """Return what decides what is built; two services with one way build one image."""
        return (self.context, self.target, tuple(sorted(self.args.items())))


def is_compose_file(path: str) -> bool:
    """Tell whether a path is that of a Compose file."""
    return _FILE.fullmatch(PurePosixPath(path).name) is not None


def read_builds(root: Path, path: str) -> tuple[ComposeBuild, ...]:
    """Read what a Compose file builds; one that cannot be read builds nothing.

    Source: Compose specification, build.md.
    """
    from ruamel.yaml import YAML  # noqa: PLC0415 - only where there are Compose files
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415 - likewise

    try:
        document = YAML(typ="safe", pure=True).load((root / path).read_text("utf-8"))
    except (OSError, YAMLError, ValueError, RecursionError, TypeError):
        return ()
    services = document.get("services") if isinstance(document, dict) else None
    if not isinstance(services, dict):
        return ()
    return tuple(build for name, value in services.items() for build in _read(path, name, value))


def _read(path: str, name: object, service: object) -> Iterator[ComposeBuild]:
    build = service.get("build") if isinstance(service, dict) else None
    build = {"context": build} if isinstance(build, str) else build
    if not isinstance(service, dict) or not isinstance(build, dict):
        return
    context = _below(PurePosixPath(path).parent, build.get("context", "."))
    dockerfile = context and _below(context, build.get("dockerfile", "Dockerfile"))
    if context is None or dockerfile is None or "dockerfile_inline" in build:
        return
    target, args = _text(build.get("target", "")) or "", _args(build.get("args"))
    image = _text(service.get("image", "")) or ""
    yield ComposeBuild(path, str(name), image, context, dockerfile, target, args)


def _below(folder: PurePosixPath, value: object) -> PurePosixPath | None:
    """Return a path from the root; None where it is an address, unknown, or outside."""
    text = _text(value)
    if not text or "://" in text or text.startswith(("/", "git@")):
        return None
    joined = posixpath.normpath(posixpath.join(folder.as_posix(), text))
    return None if joined.split("/")[0] == ".." else PurePosixPath(joined)


def _args(value: object) -> dict[str, str]:
    if isinstance(value, list):
        pairs = [str(item).partition("=") for item in value]
        value = {name: text for name, equals, text in pairs if equals}
    if not isinstance(value, dict):
        return {}
    read = {str(name): _text(item) for name, item in value.items()}
    return {name: text for name, text in read.items() if text is not None}


def _text(value: object) -> str | None:
    """Return a scalar as text, defaults of variables put in; None where one has no value."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        return None
    missing = []

    def put_in(match: re.Match[str]) -> str:
        if not match["escaped"] and match["default"] is None:
            missing.append(match[0])
        return match["default"] or match["escaped"] or ""

    text = _VARIABLE.sub(put_in, str(value))
    return None if missing else text
