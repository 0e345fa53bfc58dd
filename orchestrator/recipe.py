"""Recipes: reading and validating an `image.toml`."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from posixpath import normpath

from orchestrator.limits import take_gates
from orchestrator.model import FileCopy, FileFetch, Recipe
from orchestrator.recipe_config import check_ids, take_config, take_healthcheck
from orchestrator.tables import Table

RECIPE_FILE = "image.toml"
REQUIREMENTS_FILE = "requirements.txt"
"""What a recipe takes requirements from that names no file, where it is there."""

SYSTEM_FOLDERS = frozenset(
    {"bin", "boot", "dev", "etc", "home", "lib", "lib64", "media", "mnt", "opt", "proc", "root"}
    | {"run", "sbin", "srv", "sys", "tmp", "usr", "usr/bin", "usr/lib", "usr/local", "usr/sbin"}
    | {"usr/local/bin", "usr/local/lib", "usr/share", "var", "var/lib"}
)
"""What every image has as folders, or as links to some: a file there would hide all of one."""

_LONGEST_NAME = 255
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+:~-]+)?")
_ADDRESS = re.compile(
    r"https?://([^/?#@]*@)?([\w.-]+|\[[0-9a-fA-F:.]+\])(:\d{1,5})?([/?#].*)?|file://[\w.-]*/.+"
)
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
        config=take_config(table.take_table("config")),
        healthcheck=take_healthcheck(table),
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
    default = (REQUIREMENTS_FILE,) if os.path.lexists(file.parent / REQUIREMENTS_FILE) else ()
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
    check_ids(table, "owner", copy.owner)
    table.close()
    return copy


def _fetch(table: Table) -> FileFetch:
    fetch = FileFetch(
        url=table.take_str("url"), sha256=table.take_str("sha256"), target=table.take_str("to")
    )
    if not _ADDRESS.fullmatch(fetch.url):
        hint = "write an address that begins with https://, http:// or file://"
        table.fail("url", f"[[fetch]] url must be http(s) or file, not {fetch.url!r}", hint)
    if not _SHA256.fullmatch(fetch.sha256):
        hint = "write what this says of the file: sha256sum FILE"
        message = "[[fetch]] needs the file's sha256, 64 hexadecimal digits in lower case"
        table.fail("sha256", message, hint)
    _check_target(table, fetch.target)
    if normpath(fetch.target) != fetch.target or fetch.target.strip("/") in {"", *SYSTEM_FOLDERS}:
        hint = 'a file gets no folder of its own: to = "/opt/model.bin"'
        table.fail("to", f"'to' must be the path of the file itself, not {fetch.target!r}", hint)
    table.close()
    return fetch


def _check_target(table: Table, target: str) -> None:
    if not target.startswith("/") or ".." in PurePosixPath(target).parts:
        hint = 'say where it lies in the image, without ..: to = "/app"'
        table.fail("to", f"'to' must be an absolute path in the image, not {target!r}", hint)
    if any(len(part.encode()) > _LONGEST_NAME for part in PurePosixPath(target).parts):
        hint = f"a name has {_LONGEST_NAME} bytes at most"
        table.fail("to", "'to' has a name that no file can have", hint)
