"""What this machine can build with, and what is said of what it lacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.engines.buildkit.capabilities import Capabilities, find_buildx
from orchestrator.engines.buildkit.secrets import masking
from orchestrator.engines.docker.engine import EngineVersion
from orchestrator.errors import BuildError, MissingToolError
from orchestrator.model import Secret


def test_engines_from_23_on_take_named_contexts() -> None:
    assert Capabilities.of(EngineVersion("23.0.0", (1, 42))).named_contexts
    assert not Capabilities.of(EngineVersion("20.10.24", (1, 41))).named_contexts


def plugin(folder: Path, says: str) -> dict[str, str]:
    """Write a buildx that says its version; return the environment that has it."""
    file = folder / "cli-plugins/docker-buildx"
    file.parent.mkdir()
    file.write_text(f"#!/bin/sh\necho '{says}'\n")
    file.chmod(0o755)
    return {"DOCKER_CONFIG": str(folder)}


def test_the_plugin_is_run_by_itself(tmp_path: Path) -> None:
    environment = plugin(tmp_path, "github.com/docker/buildx v0.13.1 abc")
    assert find_buildx(environment) == (f"{tmp_path}/cli-plugins/docker-buildx",)


def test_an_old_buildx_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingToolError, match=r"buildx 0\.12\.1 is too old"):
        find_buildx(plugin(tmp_path, "github.com/docker/buildx v0.12.1 abc"))


def test_a_plugin_that_says_no_version_is_none(tmp_path: Path) -> None:
    with pytest.raises(MissingToolError, match="no buildx plugin"):
        find_buildx(plugin(tmp_path, "what?"))


def test_values_of_secrets_are_masked_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("BEGIN KEY\nabcdef\nxy\n")
    secrets = [Secret("token", env="TOKEN"), Secret("key", file="key")]
    mask = masking(secrets, tmp_path, {"TOKEN": "open sesame"})
    assert mask("say open sesame and abcdef, xy") == "say *** and ***, xy"


@pytest.mark.parametrize("secret", [Secret("t", env="NONE"), Secret("t", file="none")])
def test_a_secret_that_is_not_there_is_an_error(tmp_path: Path, secret: Secret) -> None:
    with pytest.raises(BuildError, match="the secret t needs"):
        masking([secret], tmp_path, {})
