"""`[image.NAME]` and `[buildkit]` of the settings: what files beside a Dockerfile do not say."""

from __future__ import annotations

import re

from orchestrator.errors import OrchError
from orchestrator.limits import take_gates
from orchestrator.model import (
    BuildKitOptions,
    BuildKitSettings,
    ImageKind,
    ImageSettings,
    Platform,
    Secret,
    is_image_name,
)
from orchestrator.tables import Table
from orchestrator.tagging import TEMPLATE_HINT, template_problem

_NETWORKS = ("default", "none", "host")


def take_image(name: str, table: Table) -> ImageSettings:
    """Take the keys of an image's table.

    Raises:
        WorkspaceError: They are not valid.
    """
    if not is_image_name(name):
        hint = "use lower-case letters, digits and single separators (., _, -)"
        table.fail("path", f"{name!r} cannot name an image", hint=hint)
    requirements = table.take_strs("requirements")
    image = ImageSettings(
        path=table.take_str("path"),
        dockerfile=table.take_str("dockerfile", "Dockerfile"),
        target=table.take_str("target"),
        build_args=table.take_env("build-args"),
        tags=take_tags(table),
        aliases=table.take_strs("aliases"),
        platforms=take_platforms(table, ()),
        kind=_kind(table),
        requirements=requirements if table.has("requirements") else None,
        python=table.take_str("python"),
        glibc=table.take_str("glibc"),
        whole_constraints=table.take_bool("whole-constraints", default=False),
        options=_options(table),
        gates=take_gates(table.take_table("gates")),
        line=table.line,
    )
    for key, version in (("python", image.python), ("glibc", image.glibc)):
        if version and not re.fullmatch(r"\d+\.\d+", version):
            example = "3.11" if key == "python" else "2.36"
            hint = f'write its first two numbers in quotes: {key} = "{example}"'
            table.fail(key, f"{key} must be a version, not {version!r}", hint)
        if version and image.requirements is None:
            hint = 'add: requirements = ["requirements.txt"], or take it out'
            table.fail(key, f"{key} says what requirements are locked for", hint=hint)
    table.close()
    return image


def take_buildkit(table: Table) -> BuildKitSettings:
    """Take the table's keys.

    Raises:
        WorkspaceError: They are not valid.
    """
    buildkit = BuildKitSettings(
        builder=table.take_str("builder"),
        build_args=table.take_env("build-args"),
        options=_options(table),
    )
    table.close()
    return buildkit


def _options(table: Table) -> BuildKitOptions:
    """Take what can be said of one image as of all."""
    options = BuildKitOptions(
        secrets=tuple(_secret(item) for item in table.take_tables("secrets")),
        ssh=table.take_strs("ssh"),
        network=table.take_str("network"),
        contexts=table.take_env("contexts"),
        cache_from=table.take_strs("cache-from"),
        cache_to=table.take_strs("cache-to"),
    )
    if options.network not in ("", *_NETWORKS):
        known = ", ".join(_NETWORKS)
        message = f"network must be one of {known}, not {options.network!r}"
        table.fail("network", message, "leave it out to have what the builder does by itself")
    return options


def _secret(table: Table) -> Secret:
    secret = Secret(table.take_str("id"), table.take_str("env"), table.take_str("file"))
    hint = 'for example {id = "npm", env = "NPM_TOKEN"}; its value is never written here'
    if not re.fullmatch(r"[\w.-]+", secret.id):
        table.fail("id", f"{secret.id!r} cannot be the id of a secret", hint=hint)
    if bool(secret.env) == bool(secret.file):
        table.fail("id", f"secret {secret.id!r} needs env or file, one of both", hint=hint)
    table.close()
    return secret


def _kind(table: Table) -> ImageKind | None:
    kind = table.take_str("kind")
    known = [one.value for one in ImageKind]
    if kind and kind not in known:
        hint = "leave it out where bases and services say it"
        table.fail("kind", f"kind must be {' or '.join(known)}, not {kind!r}", hint)
    return ImageKind(kind) if kind else None


def take_tags(table: Table, default: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Take templates of tags.

    Raises:
        WorkspaceError: They are not valid.
    """
    tags = table.take_strs("tags", default)
    for problem in filter(None, map(template_problem, tags)):
        table.fail("tags", problem, hint=TEMPLATE_HINT)
    return tags


def take_platforms(
    table: Table, default: tuple[str, ...] = ("linux/amd64",)
) -> tuple[Platform, ...]:
    """Take platforms, each once; `default` where the key is absent.

    Raises:
        WorkspaceError: They are not valid.
    """
    keys = table.take_strs("platforms", default)
    if not keys and table.has("platforms"):
        table.fail("platforms", "platforms is empty", hint='give at least "linux/amd64"')
    try:
        return tuple(dict.fromkeys(Platform.parse(key) for key in keys))
    except OrchError as error:
        table.fail("platforms", error.message, hint=error.hint)
