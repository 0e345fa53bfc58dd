"""buildx reads what `orch bake` prints, and takes every word of it as it was meant."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.app.baking import bake
from orchestrator.app.opened import open_workspace
from orchestrator.select import Selection
from tests.conftest import give_up
from tests.helpers import write_tree
from tests.real.parts import MissingPartError, parts_folder

ARGUMENTS = {"ONE": "1 ${two} %{three} $four $${five}", "TWO": '"\n'}
SETTINGS = """
registry = "reg.example.com:5000/team"
platforms = ["linux/amd64", "linux/arm64"]
[buildkit]
secrets = [{ id = "pip", file = "pip.conf" }, { id = "token", env = "TOKEN" }]
cache-from = ["type=registry,ref=reg.example.com/cache"]
cache-to = ["type=inline"]
[image.api]
build-args = { ONE = "1 ${two} %{three} $four $${five}", TWO = "\\"\\n" }
target = "last"
contexts = { extra = "docs" }
"""
FILES = {
    "orch.toml": SETTINGS,
    "base/core.d/Dockerfile": "FROM debian:12\n",
    "base/lib/image.toml": 'from = "debian:bookworm"\n',
    "services/api/Dockerfile": (
        "FROM reg.example.com:5000/team/core.d:1 AS last\nCOPY --from=lib /x /x\n"
    ),
    "docs/x": "",
    "pip.conf": "",
}


def find_buildx() -> Path:
    """Return the plugin, which reads files without any engine; give up without it."""
    plugin = parts_folder() / "docker-26/usr/libexec/docker/cli-plugins/docker-buildx"
    if not plugin.exists():
        give_up(MissingPartError("buildx"))
    return plugin


def test_buildx_reads_every_word_as_it_was_meant(tmp_path: Path) -> None:
    opened = open_workspace(write_tree(tmp_path, FILES))
    document = bake(opened, Selection(), datetime.now(UTC)).document
    done = subprocess.run(
        [find_buildx(), "bake", "--print", "-f", "-"],
        input=json.dumps(document),
        env={**os.environ, "TOKEN": "x"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    read = json.loads(done.stdout)
    assert read["group"]["default"] == document["group"]["default"]
    assert read["target"].keys() == document["target"].keys() == {"core_d", "api"}
    meant = document["target"]["api"] | {"args": ARGUMENTS}
    assert read["target"]["api"] == meant
    assert meant["contexts"] == {
        "reg.example.com:5000/team/core.d:1": "target:core_d",
        "lib": "docker-image://lib:latest",
        "extra": "docs",
    }
