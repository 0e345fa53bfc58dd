"""Options that several verbs share."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from orchestrator.errors import OrchError
from orchestrator.select import Selection

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

F = TypeVar("F", bound=Callable[..., Any])
_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_BYTES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def complete_images(
    context: click.Context,
    _argument: click.Parameter,
    incomplete: str,
) -> list[CompletionItem]:
    """Return the images of the workspace whose names begin so; none where it cannot be read."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415 - the Tab key alone wants it

    from orchestrator.app.opened import open_workspace  # noqa: PLC0415 - likewise

    try:
        opened = open_workspace(context.find_root().params["directory"])
    except (OrchError, OSError):  # the verb itself will say what is wrong
        return []
    return [
        CompletionItem(name, help=image.kind.value)
        for name, image in opened.graph.images.items()
        if name.startswith(incomplete)
    ]


def _revision(context: click.Context, option: click.Parameter, value: str | None) -> str:
    if value == "":  # which an unset variable gives
        raise click.BadParameter("no revision is named", context, option)
    return value or ""


def selection_options(command: F) -> F:
    """Add the options that select images; `selection_of` reads them."""
    options = [
        click.argument("images", nargs=-1, metavar="[IMAGE]...", shell_complete=complete_images),
        click.option("--tier", "tiers", type=int, multiple=True, help="Only images of this tier."),
        click.option("--bases", is_flag=True, help="Only base images."),
        click.option("--services", is_flag=True, help="Only services."),
        click.option("--changed", is_flag=True, help="Only what is not up to date."),
        click.option(
            "--since",
            metavar="REV",
            callback=_revision,
            help="Only what differs from the commit at which this branch and REV parted.",
        ),
        click.option("--with-dependents", is_flag=True, help="And all that stands on them."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def selection_of(values: dict[str, Any]) -> Selection:
    """Take the selection's options out of a command's."""
    return Selection(
        names=values.pop("images"),
        tiers=frozenset(values.pop("tiers")),
        bases=values.pop("bases"),
        services=values.pop("services"),
        with_dependents=values.pop("with_dependents"),
        changed=values.pop("changed"),
        since=values.pop("since"),
    )


def parse_age(_context: click.Context, _option: click.Parameter, value: str | None) -> float | None:
    """Read an age such as 30d, in seconds, for click.

    Raises:
        click.BadParameter: It is none.
    """
    match = re.fullmatch(r"(\d+)([mhdw])", value or "")
    if value is not None and match is None:
        raise click.BadParameter(f"{value!r} is no age such as 30d or 12h")
    return float(int(match[1]) * _UNITS[match[2]]) if match else None


def parse_size(_context: click.Context, _option: click.Parameter, value: str | None) -> int | None:
    """Read a size such as 5GB, for click.

    Raises:
        click.BadParameter: It is none.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?B|)", (value or "").upper())
    if value is not None and match is None:
        raise click.BadParameter(f"{value!r} is no size such as 5GB")
    return int(float(match[1]) * _BYTES[match[2]]) if match else None


platform_option = click.option("--platform", metavar="OS/ARCH", help="Instead of this machine's.")

offline_option = click.option(
    "--offline", is_flag=True, help="Fetch nothing; only what is in the cache."
)


class _OutputFile(click.Path):
    """A file to write: no folder, and not the nothing that an unset variable gives."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not value:
            self.fail("no file is named", param, ctx)
        return super().convert(value, param, ctx)


OUTPUT_FILE = _OutputFile(path_type=Path, dir_okay=False)

format_option = click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json"]),
    default="text",
    help="How data is printed.",
)

report_option = click.option(
    "--report",
    type=OUTPUT_FILE,
    metavar="FILE",
    help="Write what was done as JSON; also when something failed.",
)

progress_option = click.option(
    "--progress",
    type=click.Choice(["auto", "plain", "json", "none"]),
    default="auto",
    help="How progress is shown, on standard error.",
)
