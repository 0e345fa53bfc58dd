"""The tutorial, typed line by line in an empty folder: it says what happens."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.codeblocks import code_blocks, is_said, steps_of
from tests.shell import Ran, type_in

PAGE = Path(__file__).parents[2] / "docs/tutorial.md"
TIMEOUT_S = 600


@pytest.fixture
def ran(
    tmp_path: Path,
    registry: str,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> list[Ran]:
    """Run the tutorial; with `--full` nothing is downloaded or made before."""
    blocks = [block for block in code_blocks(PAGE, "console") if not block.not_run]
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "DOCKER_HOST": f"unix://{tmp_path}/no-engine.sock",
        "REGISTRY": f"{registry}/tutorial",
    }
    if request.config.getoption("--full"):
        env |= {"ORCH_CACHE": f"{tmp_path}/cache", "PIP_NO_CACHE_DIR": "1"}
    folder = tmp_path / "empty"
    folder.mkdir()
    steps = [step for block in blocks for step in steps_of(block)]
    ran = type_in(steps, folder, env, TIMEOUT_S)
    with capsys.disabled():
        print(f"\ntutorial: {len(ran)} commands in {sum(one.duration_s for one in ran):.0f} s")
    assert len(ran) == len(steps)
    return ran


def test_the_tutorial_says_what_happens(ran: list[Ran]) -> None:
    other = [
        f"{PAGE.name}:{one.step.line}: $ {one.step.command}\n{one.said}(ended with {one.code})"
        for one in ran
        if not is_said(one.step.shown, one.said) or bool(one.code) != _shows_a_failure(one)
    ]
    assert not other, "\n".join(other)


def _shows_a_failure(one: Ran) -> bool:
    return any("error: " in line for line in one.step.shown)
