"""The settings of a workspace: `orch.toml`, or `[tool.orch]` in a `pyproject.toml`."""

from __future__ import annotations

import re
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from orchestrator.errors import OrchError, WorkspaceError
from orchestrator.limits import take_gates
from orchestrator.model import (
    AttestSettings,
    BuildKitOptions,
    BuildKitSettings,
    DebianSettings,
    HistorySettings,
    ImageKind,
    ImageSettings,
    Platform,
    PythonSettings,
    Secret,
    Settings,
    SharedPlace,
    WheelhouseSettings,
    WheelSettings,
    is_image_name,
)
from orchestrator.settings_checks import take_checks
from orchestrator.settings_ci import take_ci
from orchestrator.settings_ecr import take_ecr
from orchestrator.settings_gc import take_gc
from orchestrator.settings_report import take_report
from orchestrator.tables import Table
from orchestrator.tagging import TEMPLATE_HINT, template_problem

SETTINGS_FILE = "orch.toml"
_MOST_KEPT = 100_000
_NETWORKS = ("default", "none", "host")
_TABLE = re.compile(r"^\s*\[tool\.orch[].]", re.MULTILINE)


def find_settings(start: Path) -> tuple[Path, tuple[str, ...]]:
    """Walk up from `start` to the file with the settings; return it and the table's path.

    Raises:
        WorkspaceError: No folder on the way up has settings.
    """
    for folder in (start, *start.parents):
        if (folder / SETTINGS_FILE).is_file():
            return folder / SETTINGS_FILE, ()
        project = folder / "pyproject.toml"
        if project.is_file() and _TABLE.search(project.read_text("utf-8", errors="replace")):
            return project, ("tool", "orch")
    raise WorkspaceError(
        f"no {SETTINGS_FILE} in {start} or any folder above it",
        hint=f"orch init writes one; or write a file {SETTINGS_FILE} that says where images are, "
        'for example bases = ["base/*"] and services = ["services/*"]',
    )


def read_settings(start: Path) -> Settings:
    """Read the settings that hold for a folder.

    Raises:
        WorkspaceError: There are none, or they are not valid.
    """
    file, path = find_settings(start)
    return take_settings(Table.read(file, path), file)


def take_settings(table: Table, file: Path) -> Settings:
    """Take settings out of the table of a file.

    Raises:
        WorkspaceError: They are not valid.
    """
    settings = Settings(
        file=file,
        bases=table.take_strs("bases", ("base/*",)),
        services=table.take_strs("services", ("services/*",)),
        constraints=table.take_str("constraints", "constraints.txt"),
        registry=table.take_str("registry"),
        aliases=table.take_strs("aliases"),
        platforms=_platforms(table),
        tags=_tags(table, ("latest",)),
        source=table.take_str("source"),
        deployments=table.take_strs("deployments"),
        python=_python(table.take_table("python")),
        debian=_debian(table.take_table("debian")),
        wheelhouse=_wheelhouse(table.take_table("wheelhouse")),
        buildkit=_buildkit(table.take_table("buildkit")),
        ecr=take_ecr(table.take_table("ecr")),
        attest=_attest(table.take_table("attest")),
        checks=take_checks(table.take_table("checks")),
        history=_history(table.take_table("history")),
        report=take_report(table.take_table("report")),
        ci=take_ci(table.take_table("ci")),
        gc=take_gc(table.take_table("gc")),
        images={
            name: _image(name, inner) for name, inner in table.take_named_tables("image").items()
        },
        wheels={
            str(canonicalize_name(name)): _wheel(inner)
            for name, inner in table.take_named_tables("wheels").items()
        },
    )
    table.close()
    return settings


def _image(name: str, table: Table) -> ImageSettings:
    if not is_image_name(name):
        hint = "use lower-case letters, digits and single separators (., _, -)"
        table.fail("path", f"{name!r} cannot name an image", hint=hint)
    requirements = table.take_strs("requirements")
    image = ImageSettings(
        path=table.take_str("path"),
        dockerfile=table.take_str("dockerfile", "Dockerfile"),
        target=table.take_str("target"),
        build_args=table.take_env("build-args"),
        tags=_tags(table),
        aliases=table.take_strs("aliases"),
        platforms=_platforms(table, ()),
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


def _buildkit(table: Table) -> BuildKitSettings:
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


def _wheel(table: Table) -> WheelSettings:
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


def _kind(table: Table) -> ImageKind | None:
    kind = table.take_str("kind")
    known = [one.value for one in ImageKind]
    if kind and kind not in known:
        hint = "leave it out where bases and services say it"
        table.fail("kind", f"kind must be {' or '.join(known)}, not {kind!r}", hint)
    return ImageKind(kind) if kind else None


def _tags(table: Table, default: tuple[str, ...] = ()) -> tuple[str, ...]:
    tags = table.take_strs("tags", default)
    for problem in filter(None, map(template_problem, tags)):
        table.fail("tags", problem, hint=TEMPLATE_HINT)
    return tags


def _platforms(table: Table, default: tuple[str, ...] = ("linux/amd64",)) -> tuple[Platform, ...]:
    keys = table.take_strs("platforms", default)
    if not keys and table.has("platforms"):
        table.fail("platforms", "platforms is empty", hint='give at least "linux/amd64"')
    try:
        return tuple(dict.fromkeys(Platform.parse(key) for key in keys))
    except OrchError as error:
        table.fail("platforms", error.message, hint=error.hint)


def _python(table: Table) -> PythonSettings:
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


def _debian(table: Table) -> DebianSettings:
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


def _attest(table: Table) -> AttestSettings:
    default = AttestSettings()
    attest = AttestSettings(
        documents=table.take_strs("documents", default.documents),
        builder=table.take_str("builder"),
        required=table.take_bool("required", default=False),
    )
    if unknown := sorted(set(attest.documents) - set(default.documents)):
        known = " and ".join(default.documents)
        table.fail("documents", f"there is no document {unknown[0]!r}", hint=f"there are {known}")
    if not re.fullmatch(r"([a-zA-Z][\w+.-]*:[^@\s]+)?", attest.builder):
        hint = 'it says who builds, such as "https://ci.example.com/voice"'
        table.fail("builder", f"builder must be a URI, not {attest.builder!r}", hint=hint)
    table.close()
    return attest


def _history(table: Table) -> HistorySettings:
    default = HistorySettings()
    history = HistorySettings(
        runs=table.take_int("runs", default.runs), days=table.take_int("days", default.days)
    )
    for key, value in (("runs", history.runs), ("days", history.days)):
        if not 0 <= value <= _MOST_KEPT:
            hint = f"write a number up to {_MOST_KEPT}; 0 keeps all"
            table.fail(key, f"{key} must not be {value}", hint)
    table.close()
    return history


def _wheelhouse(table: Table) -> WheelhouseSettings:
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
