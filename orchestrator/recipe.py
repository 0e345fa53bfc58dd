"""Recipes: reading and validating an `image.toml`."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from orchestrator.limits import take_gates
from orchestrator.model import (
    FileCopy,
    FileFetch,
    Healthcheck,
    ImageConfig,
    Recipe,
)
from orchestrator.tables import Table

RECIPE_FILE = "image.toml"
REQUIREMENTS_FILE = "requirements.txt"
"""What a recipe takes requirements from that names no file, where it is there."""

_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+:~-]+)?")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def read_recipe(file: Path) -> Recipe:
    """Read a recipe.

    Raises:
        WorkspaceError: The file is not a valid recipe; the error has the line.
    """
    table = Table.read(file)
    parent = table.take_str("from")
    if not parent:
        table.fail("from", "no 'from'", hint='say what the image stands on: from = "python-base"')
    summary, deprecated = table.take_str("summary"), table.take_str("deprecated")
    packages, optional = _system(table.take_table("system"))
    requirements, bytecode, prefer = _python(table.take_table("python"), file)
    recipe = Recipe(
        parent=parent,
        summary=summary,
        deprecated=deprecated,
        system_packages=packages,
        optional_libraries=optional,
        requirements=requirements,
        bytecode=bytecode,
        prefer=prefer,
        files=tuple(_copy(entry) for entry in table.take_tables("files")),
        fetches=tuple(_fetch(entry) for entry in table.take_tables("fetch")),
        config=_config(table.take_table("config")),
        healthcheck=_healthcheck(table),
        gates=take_gates(table.take_table("gates")),
        parent_line=table.line_of("from"),
        sha256=table.sha256,
    )
    table.close()
    return recipe


def _system(table: Table) -> tuple[tuple[str, ...], tuple[str, ...]]:
    packages = table.take_strs("packages")
    for package in packages:
        if not _PACKAGE.fullmatch(package):
            hint = "a name is of a-z, 0-9 and +.-, and may have its version: curl=7.88.1-10"
            table.fail("packages", f"{package!r} is no Debian package name", hint)
    optional = table.take_strs("optional-libraries")
    table.close()
    return packages, optional


def _python(table: Table, file: Path) -> tuple[tuple[str, ...], bool, dict[str, str]]:
    default = (REQUIREMENTS_FILE,) if (file.parent / REQUIREMENTS_FILE).is_file() else ()
    requirements = table.take_strs("requirements", default)
    for name in requirements:
        if not (file.parent / name).is_file():
            hint = "write it, or correct its path, which starts at the recipe's folder"
            table.fail("requirements", f"{name} does not exist", hint)
    bytecode = table.take_bool("bytecode", default=True)
    prefer = table.take_env("prefer")
    table.close()
    return requirements, bytecode, prefer


def _copy(table: Table) -> FileCopy:
    copy = FileCopy(
        source=table.take_str("from"),
        target=table.take_str("to"),
        mode=table.take_mode("mode"),
        owner=table.take_str("owner"),
        exclude=table.take_strs("exclude"),
    )
    if not copy.source:
        hint = 'say what is copied, from the recipe\'s folder: from = "app"'
        table.fail("from", "[[files]] has no 'from'", hint)
    _check_target(table, copy.target)
    table.close()
    return copy


def _fetch(table: Table) -> FileFetch:
    fetch = FileFetch(
        url=table.take_str("url"), sha256=table.take_str("sha256"), target=table.take_str("to")
    )
    if not fetch.url.startswith(("https://", "http://", "file://")):
        hint = "write an address that begins with https://, http:// or file://"
        table.fail("url", f"[[fetch]] url must be http(s) or file, not {fetch.url!r}", hint)
    if not _SHA256.fullmatch(fetch.sha256):
        hint = "write what this says of the file: sha256sum FILE"
        message = "[[fetch]] needs the file's sha256, 64 hexadecimal digits in lower case"
        table.fail("sha256", message, hint)
    _check_target(table, fetch.target)
    table.close()
    return fetch


def _check_target(table: Table, target: str) -> None:
    if not target.startswith("/") or ".." in PurePosixPath(target).parts:
        hint = 'say where it lies in the image, without ..: to = "/app"'
        table.fail("to", f"'to' must be an absolute path in the image, not {target!r}", hint)


def _config(table: Table) -> ImageConfig:
    config = ImageConfig(
        user=table.take_str("user"),
        workdir=table.take_str("workdir"),
        env=table.take_env("env"),
        labels=table.take_env("labels"),
        expose=table.take_strs("expose"),
        volumes=table.take_strs("volumes"),
        entrypoint=table.take_command("entrypoint"),
        command=table.take_command("command"),
        stop_signal=table.take_str("stop-signal"),
    )
    if config.workdir and not config.workdir.startswith("/"):
        hint = f'begin it with a slash: workdir = "/{config.workdir}"'
        table.fail("workdir", f"workdir must be an absolute path, not {config.workdir!r}", hint)
    for port in config.expose:
        if not re.fullmatch(r"\d{1,5}(/(tcp|udp))?", port):
            hint = 'write ports in quotes: expose = ["8000", "53/udp"]'
            table.fail(
                "expose", f'expose holds ports such as "8000" or "53/udp", not {port!r}', hint
            )
    table.close()
    return config


def _healthcheck(table: Table) -> Healthcheck | None:
    given = table.has("healthcheck")
    inner = table.take_table("healthcheck")
    if not given:
        return None
    default = Healthcheck()
    check = Healthcheck(
        http=inner.take_str("http"),
        command=inner.take_strs("command"),
        interval_s=inner.take_seconds("interval", default.interval_s),
        timeout_s=inner.take_seconds("timeout", default.timeout_s),
        start_period_s=inner.take_seconds("start-period", default.start_period_s),
        retries=inner.take_int("retries", default.retries),
    )
    if bool(check.http) == bool(check.command):
        hint = 'write http = "http://localhost:8000/health", or command = ["...", "..."]'
        table.fail("healthcheck", "[healthcheck] needs either http or command", hint)
    inner.close()
    return check
