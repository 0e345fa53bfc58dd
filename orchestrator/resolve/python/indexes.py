"""Where this machine finds Python packages: the settings, then pip's configuration."""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.model import PythonSettings

_SECTIONS = ("global", "install")
_TRUE = {"1", "y", "yes", "t", "true", "on"}


@dataclass(frozen=True, slots=True)
class Indexes:
    """Package indexes and folders; an empty `index_url` is the resolver's own default.

    With `no_index`, folders alone are looked into.
    """

    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    certificates: str = ""
    no_index: bool = False


def read_indexes(
    settings: PythonSettings, env: Mapping[str, str] | None = None, home: Path | None = None
) -> Indexes:
    """Join the settings with pip's configuration files and `PIP_*` variables.

    Source: pip documentation, "Configuration": later files win, `[install]` wins over
    `[global]`, and variables win over files.
    Unreadable files are passed over, as pip does.
    """
    env = os.environ if env is None else env
    sections: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for file in _config_files(env, home or Path(env.get("HOME") or Path.home())):
        for section, items in _read_config(file).items():
            sections[section] |= items
    values = {key: value for section in _SECTIONS for key, value in sections[section].items()}
    for key in ("index-url", "extra-index-url", "find-links", "cert", "no-index"):
        if value := env.get(f"PIP_{key.upper().replace('-', '_')}"):
            values[key] = value
    return Indexes(
        index_url=settings.index_url or values.get("index-url", "").strip(),
        extra_index_urls=_unique(settings.extra_index_urls, values.get("extra-index-url", "")),
        find_links=_unique(settings.find_links, values.get("find-links", "")),
        certificates=values.get("cert", "").strip(),
        no_index=not settings.index_url and values.get("no-index", "").lower() in _TRUE,
    )


def _unique(first: tuple[str, ...], more: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *more.split())))


def _config_files(env: Mapping[str, str], home: Path) -> Iterator[Path]:
    named = env.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return
    for folder in env.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":"):
        yield Path(folder) / "pip/pip.conf"
    yield Path("/etc/pip.conf")
    if not (named and Path(named).exists()):
        yield home / ".pip/pip.conf"
        yield Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "pip/pip.conf"
    for prefix in dict.fromkeys((sys.base_prefix, sys.prefix)):
        yield Path(prefix) / "pip.conf"
    if named:
        yield Path(named)


def _read_config(file: Path) -> dict[str, dict[str, str]]:
    """Return the sections that count, keys in pip's one way of writing them."""
    parser = configparser.RawConfigParser()
    try:
        parser.read(file, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError, OSError):
        return {}
    return {
        section: {_key(name): value for name, value in parser.items(section)}
        for section in _SECTIONS
        if parser.has_section(section)
    }


def _key(name: str) -> str:
    return name.replace("_", "-").removeprefix("--")


def places_for_uv(indexes: Indexes) -> dict[str, str]:
    """Return the variables that tell uv where to look: every user may read a process's words."""
    places = {"UV_FIND_LINKS": ",".join(map(_quoted, indexes.find_links))}
    if not indexes.no_index:
        places["UV_INDEX_URL"] = indexes.index_url
        places["UV_EXTRA_INDEX_URL"] = " ".join(indexes.extra_index_urls)
    return {name: value for name, value in places.items() if value}


def _quoted(place: str) -> str:
    """Return a place without commas, which part places: those of a folder as in its URL."""
    if "," in place and "://" not in place:
        return Path(place).absolute().as_uri().replace(",", "%2C")
    return place.replace(",", "%2C")
