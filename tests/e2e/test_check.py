"""`orch check` on the real tree: nothing is wrong with it, and what is put wrong is found."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestrator.cli import orch
from orchestrator.lockfile import parse_lock
from orchestrator.lockwriting import format_lock
from orchestrator.model import Platform
from tests.helpers import wheel_of

ROOT = Path(__file__).parents[2]
AMD64 = Platform("linux", "amd64")
KEY = "AKIA" + "Q3EGPIVTMVB5ZZQ7"  # in two parts, so that this file has none


@dataclass(frozen=True)
class Fault:
    """What is put wrong: text at the end of files, or in place of another."""

    rule: str
    file: str
    added: Mapping[str, str] = field(default_factory=dict)
    replaced: Mapping[str, tuple[str, str]] = field(default_factory=dict)


FAULTS = (
    Fault(
        "requirement-in-base",
        "services/discord/requirements.txt",
        {"services/discord/requirements.txt": "fastapi\n"},
    ),
    Fault(
        "requirement-contradicts-base",
        "services/stt/requirements.txt",
        {"services/stt/requirements.txt": "numpy<2\n"},
    ),
    Fault(
        "runs-as-root",
        "services/webhook/image.toml",
        replaced={"services/webhook/image.toml": ('user = "1000"\n', "")},
    ),
    Fault(
        "secret-in-config",
        "services/flan/image.toml",
        replaced={
            "services/flan/image.toml": (
                "[config.env]\n",
                f'[config.env]\nAWS_ACCESS_KEY_ID = "{KEY}"\n',
            )
        },
    ),
    Fault(
        "health-port",
        "services/tts/image.toml",
        replaced={"services/tts/image.toml": ("127.0.0.1:8205/", "127.0.0.1:8025/")},
    ),
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a copy of the real tree."""
    for folder in ("base", "services"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for file in ("orch.toml", "orch.lock", "constraints.txt"):
        shutil.copy(ROOT / file, tmp_path)
    return tmp_path


def check(root: Path) -> tuple[int, dict[str, list[str]]]:
    """Return the exit code, and the files of the errors and warnings by rule."""
    arguments = ["-C", str(root), "check", "--format", "json"]
    done = CliRunner().invoke(orch, arguments, standalone_mode=False)
    assert not done.exception
    found: dict[str, list[str]] = {}
    for finding in json.loads(done.stdout)["findings"]:
        if finding["severity"] != "note":
            found.setdefault(finding["rule"], []).append(finding["file"])
    assert KEY not in done.output
    return done.return_value, found


def test_nothing_is_found_in_the_real_tree(tree: Path) -> None:
    assert check(tree) == (0, {})


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.rule)
def test_a_fault_is_found_where_it_was_put(tree: Path, fault: Fault) -> None:
    for path, text in fault.added.items():
        with (tree / path).open("a") as file:
            file.write(text)
    for path, (old, new) in fault.replaced.items():
        text = (tree / path).read_text("utf-8")
        assert old in text
        (tree / path).write_text(text.replace(old, new), "utf-8")
    code, found = check(tree)
    assert code == 1
    assert found[fault.rule] == [fault.file]


def test_cuda_of_a_base_and_of_its_torch_are_compared(tree: Path) -> None:
    recipe = tree / "base/python-ml-torch/image.toml"
    recipe.write_text(recipe.read_text("utf-8").replace("[config.env]", f"{_CUDA}", 1), "utf-8")
    assert "cuda-mismatch" not in check(tree)[1], "the CPU build of torch is for no CUDA"
    lock = parse_lock((tree / "orch.lock").read_text("utf-8"))
    torch = wheel_of("torch", "2.4.0+cu121")
    adds = replace(lock.images["python-ml-torch", AMD64], wheels=(torch,), unavailable="")
    images = {**lock.images, ("python-ml-torch", AMD64): adds}
    (tree / "orch.lock").write_text(format_lock(replace(lock, images=images)), "utf-8")
    code, found = check(tree)
    assert code == 1
    assert found["cuda-mismatch"] == ["base/python-ml-torch/image.toml"]


_CUDA = '[config.env]\nCUDA_VERSION = "12.9.1"\nNVIDIA_REQUIRE_CUDA = "cuda>=12.9 brand=tesla"'
