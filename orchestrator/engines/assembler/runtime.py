"""The runtime configuration of an image: the parent's, and what the recipe changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.engines.assembler.wheel.segment import Venv
from orchestrator.model import Healthcheck, Image, ImageConfig

_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NANOSECONDS = 1_000_000_000
_PROBE = (
    "import sys,urllib.request as r;"
    "sys.exit(0 if r.urlopen(sys.argv[1],timeout=float(sys.argv[2])).status==200 else 1)"
)


def runtime_config(
    parent: Mapping[str, Any], image: Image, user: str, venv: Venv | None
) -> dict[str, Any]:
    """Return the `config` object of an image's configuration.

    `user` is the numeric `UID:GID`; `venv` is given where the image's chain has one. A new
    entrypoint drops the parent's command, as in a Dockerfile.

    Source: OCI image specification, config.md; `Healthcheck` as in Docker's image
    specification 1.2, which Docker reads from OCI configs too.
    """
    config, runtime = image.recipe.config, dict(parent)
    runtime["Env"] = _environment(parent.get("Env", []), config, venv)
    if user:
        runtime["User"] = user
    if config.workdir:
        runtime["WorkingDir"] = config.workdir
    if config.entrypoint is not None:
        runtime["Entrypoint"] = list(config.entrypoint)
        runtime.pop("Cmd", None)
    if config.command is not None:
        runtime["Cmd"] = list(config.command)
    if config.stop_signal:
        runtime["StopSignal"] = config.stop_signal
    if config.expose:
        ports: dict[str, Any] = {
            port if "/" in port else f"{port}/tcp": {} for port in config.expose
        }
        runtime["ExposedPorts"] = {**parent.get("ExposedPorts", {}), **ports}
    if config.volumes:
        runtime["Volumes"] = {**parent.get("Volumes", {}), **{path: {} for path in config.volumes}}
    runtime["Labels"] = {
        **parent.get("Labels", {}),
        "org.opencontainers.image.title": image.name,
        **config.labels,
    }
    if image.recipe.healthcheck:
        runtime["Healthcheck"] = _healthcheck(image.recipe.healthcheck, venv)
    return runtime


def _environment(parent: list[str], config: ImageConfig, venv: Venv | None) -> list[str]:
    """Return the environment, sorted; a venv comes first on PATH."""
    values = dict(entry.partition("=")[::2] for entry in parent)
    values.setdefault("PATH", _DEFAULT_PATH)
    if venv is not None:
        values["VIRTUAL_ENV"] = venv.path
        folder = f"{venv.path}/bin"
        if folder not in values["PATH"].split(":"):
            values["PATH"] = f"{folder}:{values['PATH']}"
    values |= config.env
    return [f"{name}={value}" for name, value in sorted(values.items())]


def _healthcheck(check: Healthcheck, venv: Venv | None) -> dict[str, Any]:
    command = list(check.command)
    if check.http:
        python = venv.interpreter if venv else "python3"
        command = [python, "-c", _PROBE, check.http, f"{check.timeout_s:g}"]
    return {
        "Test": ["CMD", *command],
        "Interval": int(check.interval_s * _NANOSECONDS),
        "Timeout": int(check.timeout_s * _NANOSECONDS),
        "StartPeriod": int(check.start_period_s * _NANOSECONDS),
        "Retries": check.retries,
    }
