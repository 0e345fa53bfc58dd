"""Recipes: images that are assembled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Healthcheck:
    """A recipe's `[healthcheck]`; times in seconds."""

    http: str = ""
    command: tuple[str, ...] = ()
    interval_s: float = 30.0
    timeout_s: float = 5.0
    start_period_s: float = 30.0
    retries: int = 3


@dataclass(frozen=True, slots=True)
class FileCopy:
    """A recipe's `[[files]]`: what is copied from the workspace into the image."""

    source: str
    target: str
    mode: int | None = None
    owner: str = ""
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileFetch:
    """A recipe's `[[fetch]]`: a file from a URL, in a layer of its own."""

    url: str
    sha256: str
    target: str


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """A recipe's `[config]`: what the image's runtime configuration adds to its parent's."""

    user: str = ""
    workdir: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    expose: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    stop_signal: str = ""


SEVERITIES = ("low", "medium", "high", "critical", "none")
"""Which findings of scans count: those as severe, or more; with `none` none do."""


@dataclass(frozen=True, slots=True)
class Gates:
    """A recipe's `[gates]`: limits that a built image must hold; `severity` may be left open."""

    max_size_bytes: int | None = None
    max_growth_percent: float | None = None
    start_within_s: float | None = None
    read_only: bool = True
    severity: str = ""


@dataclass(frozen=True, slots=True)
class Recipe:
    """An `image.toml`, read and validated; `sha256` is its text's, empty where it has none."""

    parent: str
    summary: str = ""
    deprecated: str = ""
    system_packages: tuple[str, ...] = ()
    optional_libraries: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    bytecode: bool = True
    prefer: Mapping[str, str] = field(default_factory=dict)
    files: tuple[FileCopy, ...] = ()
    fetches: tuple[FileFetch, ...] = ()
    config: ImageConfig = ImageConfig()
    healthcheck: Healthcheck | None = None
    gates: Gates = Gates()
    parent_line: int | None = field(default=None, compare=False)
    sha256: str = field(default="", compare=False)
