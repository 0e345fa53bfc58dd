"""Where packages are from: `[python]`, `[debian]`, `[wheels.NAME]` and `[wheelhouse]`."""

from __future__ import annotations

import re

from packaging.requirements import InvalidRequirement, Requirement

from orchestrator.errors import OrchError
from orchestrator.model import (
    DebianSettings,
    PythonSettings,
    SharedPlace,
    WheelhouseSettings,
    WheelSettings,
)
from orchestrator.tables import Table


def take_wheel(table: Table) -> WheelSettings:
    """Take the keys of a project's table: how its sdist is built.

    Raises:
        WorkspaceError: They are not valid.
    """
    wheel = WheelSettings(
        system=table.take_strs("system"),
        requires=table.take_strs("requires"),
        env=table.take_env("env"),
    )
    for line in wheel.requires:
        try:
            Requirement(line)
        except InvalidRequirement as error:
            reason = str(error).splitlines()[0]
            hint = 'write NAME or NAME>=1.2: requires = ["setuptools>=61", "cython"]'
            table.fail("requires", f"{line!r} is no requirement: {reason}", hint)
    table.close()
    return wheel


def take_python(table: Table) -> PythonSettings:
    """Take the table's keys.

    Raises:
        WorkspaceError: They are not valid.
    """
    default = PythonSettings()
    python = PythonSettings(
        version=table.take_str("version", default.version),
        venv=table.take_str("venv", default.venv),
        index_url=table.take_str("index-url"),
        extra_index_urls=table.take_strs("extra-index-urls"),
        find_links=table.take_strs("find-links"),
    )
    parts = python.version.split(".")
    if len(parts) != 2 or not all(part.isdigit() for part in parts):
        hint = 'write its first two numbers in quotes: version = "3.11"'
        table.fail("version", f"version must be a minor version, not {python.version!r}", hint)
    if not python.venv.startswith("/"):
        hint = 'say where it lies in the images: venv = "/opt/venv"'
        table.fail("venv", f"venv must be an absolute path, not {python.venv!r}", hint)
    table.close()
    return python


def take_debian(table: Table) -> DebianSettings:
    """Take the table's keys.

    Raises:
        WorkspaceError: They are not valid.
    """
    default = DebianSettings()
    debian = DebianSettings(
        suite=table.take_str("suite", default.suite),
        components=table.take_strs("components", default.components),
        mirror=table.take_str("mirror"),
        security_mirror=table.take_str("security-mirror"),
        snapshot=table.take_str("snapshot"),
        keyring=table.take_str("keyring"),
        essential=table.take_strs("essential", default.essential),
    )
    table.close()
    return debian


def take_wheelhouse(table: Table) -> WheelhouseSettings:
    """Take the table's keys: where wheels are shared.

    Raises:
        WorkspaceError: They are not valid.
    """
    try:
        shared = tuple(SharedPlace.parse(text) for text in table.take_strs("shared"))
    except OrchError as error:
        table.fail("shared", error.message, hint=error.hint)
    wheelhouse = WheelhouseSettings(
        shared=shared,
        endpoint_url=table.take_str("endpoint-url"),
        region=table.take_str("region"),
        anonymous=table.take_bool("anonymous", default=False),
        sse=table.take_str("sse"),
        kms_key=table.take_str("kms-key"),
    )
    if not re.fullmatch(r"(https?://[^/@]+(/[^@]*)?)?", wheelhouse.endpoint_url):
        hint = "write https://HOST:PORT, and give credentials as the AWS tools take them"
        table.fail("endpoint-url", "endpoint-url must be an http address without a user", hint=hint)
    if wheelhouse.sse not in {"", "AES256", "aws:kms"}:
        hint = "leave it out to have what the bucket does by itself"
        message = f'sse must be "AES256" or "aws:kms", not {wheelhouse.sse!r}'
        table.fail("sse", message, hint)
    if wheelhouse.kms_key and wheelhouse.sse != "aws:kms":
        table.fail("kms-key", "kms-key goes with sse", hint='add: sse = "aws:kms"')
    table.close()
    return wheelhouse
