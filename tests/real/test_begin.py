"""What `orch init` and `orch new` write is locked and built, and passes every gate in Docker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.helpers import write_tree
from tests.real.docker_engine import DockerEngine

ORCH = Path(sys.executable).with_name("orch")
NEW = (
    ("service", "billing", "--from", "python-web"),
    ("service", "my-queue", "--from", "python-base"),
    ("service", "refunds", "--like", "billing", "--from", "python-base"),
)
PROJECT = {
    "pyproject.toml": (
        '[tool.poetry]\nname = "shop"\n[tool.poetry.dependencies]\npython = "^3.11"\n'
        'flask = ">=3"\nwaitress = "*"\nprices = { path = "libs/prices" }\n'
    ),
    "shop/__init__.py": (
        "from flask import Flask\nfrom prices import PRICE\n\napp = Flask(__name__)\n\n\n"
        '@app.get("/health")\ndef health() -> dict[str, int]:\n    return {"price": PRICE}\n'
    ),
    "libs/prices/pyproject.toml": '[project]\nname = "prices"\n',
    "libs/prices/src/prices/__init__.py": "PRICE = 7\n",
}


def orch(root: Path, engine: DockerEngine, *words: str) -> str:
    """Run `orch` in a folder; it must succeed."""
    done = subprocess.run(
        [ORCH, *words],
        cwd=root,
        env={**os.environ, **engine.environment()},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, f"orch {' '.join(words)}:\n{done.stdout}{done.stderr}"
    return done.stdout


def verified(root: Path, engine: DockerEngine, *names: str) -> dict[str, dict[str, str]]:
    """Lock, build and check a workspace, and verify images; return their results of gates."""
    for words in (("lock",), ("build",), ("check", "--strict")):
        orch(root, engine, *words)
    report = root / ".orch/verified.json"
    orch(root, engine, "verify", *names, "--report", str(report))
    document: dict[str, Any] = json.loads(report.read_text())
    return {
        image["name"]: {gate["id"]: gate["result"] for gate in image["gates"]}
        for image in document["images"]
    }


def test_what_init_and_new_write_passes_every_gate(tmp_path: Path, docker26: DockerEngine) -> None:
    orch(tmp_path, docker26, "init")
    for words in NEW:
        orch(tmp_path, docker26, "new", *words)
    for results in verified(tmp_path, docker26, "my-queue", "refunds").values():
        assert set(results.values()) == {"passed"}


def test_a_project_of_poetry_becomes_an_image_that_answers(
    tmp_path: Path, docker26: DockerEngine
) -> None:
    write_tree(tmp_path, PROJECT)
    orch(tmp_path, docker26, "init")
    results = verified(tmp_path, docker26, "shop")
    wanted = ("starts", "health", "healthy", "running-user", "writes", "log", "imports", "loads")
    assert {gate: results["shop"][gate] for gate in wanted} == dict.fromkeys(wanted, "passed")
