"""What a recipe says of how its image is run: `[config]` and `[healthcheck]`."""

from __future__ import annotations

import re

from orchestrator.model import Healthcheck, ImageConfig
from orchestrator.printable import short
from orchestrator.tables import Table

_HIGHEST_ID = 2**31 - 1
"""Of users and groups, as Docker takes them."""

_HIGHEST_PORT = 2**16 - 1
_HIGHEST_COUNT = 2**31 - 1
_LONGEST_S = 10.0**9
_SHORTEST_S = 0.001
"""Below it Docker refuses the image; 0 is its default."""


def take_config(table: Table) -> ImageConfig:
    """Take the runtime configuration.

    Raises:
        WorkspaceError: A value is none that a container can be run with.
    """
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
    check_ids(table, "user", config.user)
    if config.workdir and not config.workdir.startswith("/"):
        hint = f'begin it with a slash: workdir = "/{config.workdir}"'
        table.fail("workdir", f"workdir must be an absolute path, not {config.workdir!r}", hint)
    for name in config.env:
        if not name or "=" in name:
            hint = 'write NAME = "VALUE"'
            table.fail("env", f"{name!r} cannot be the name of a variable", hint)
    for volume in config.volumes:
        if not volume.startswith("/"):
            hint = f'begin it with a slash: volumes = ["/{volume}"]'
            table.fail("volumes", f"volumes holds absolute paths, not {volume!r}", hint)
    _check_ports(table, config)
    table.close()
    return config


def take_healthcheck(table: Table) -> Healthcheck | None:
    """Take the health check of a recipe; None where it has no such table.

    Raises:
        WorkspaceError: It says nothing that can be run, or Docker would refuse its numbers.
    """
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
    if check.http and not re.match("https?://.", check.http):
        hint = 'write it whole: http = "http://localhost:8000/health"'
        inner.fail("http", f"http must be an http address, not {short(repr(check.http))}", hint)
    _check_numbers(inner, check)
    return check


def check_ids(table: Table, key: str, user: str) -> None:
    """Make sure that the numbers in `USER[:GROUP]` can be those of users and groups.

    Raises:
        WorkspaceError: One cannot; names are not looked at.
    """
    numbers = [part for part in user.split(":") if part.isdigit()]
    if not all(part.isascii() and int(part[:99]) <= _HIGHEST_ID for part in numbers):
        hint = f"users and groups have numbers from 0 to {_HIGHEST_ID}"
        table.fail(key, f"{key} is nobody: {short(repr(user))}", hint)


def _check_ports(table: Table, config: ImageConfig) -> None:
    for port in config.expose:
        match = re.fullmatch(r"([0-9]{1,5})(/(tcp|udp))?", port)
        if not match or not 0 < int(match[1]) <= _HIGHEST_PORT:
            hint = 'write ports in quotes: expose = ["8000", "53/udp"]'
            message = f'expose holds ports such as "8000" or "53/udp", not {port!r}'
            table.fail("expose", message, hint)


def _check_numbers(table: Table, check: Healthcheck) -> None:
    if not 0 <= check.retries <= _HIGHEST_COUNT:
        hint = "write how many failures in a row are one too many: retries = 3"
        table.fail("retries", f"retries cannot be {short(str(check.retries))}", hint)
    for key, value in (
        ("interval", check.interval_s),
        ("timeout", check.timeout_s),
        ("start-period", check.start_period_s),
    ):
        if value and not _SHORTEST_S <= value <= _LONGEST_S:
            hint = f"write 1 ms at least, 0 for what Docker takes, and {_LONGEST_S:.0f} s at most"
            table.fail(key, f"{key} is no time that Docker waits", hint)
