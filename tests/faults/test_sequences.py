"""After any runs, ended or cut short, the next build makes what a clean one makes."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from orchestrator.oci.layout import Layout
from tests.faults.ground import Ground
from tests.faults.points import Watch, count_down, end_at_once
from tests.faults.tally import Tally

EXAMPLES, FULL_EXAMPLES, STEPS = 2, 120, 6

VERBS = (
    ("build",),
    ("build", "job"),
    ("build", "--force", "--jobs", "3"),
    ("lock",),
    ("wheels",),
    ("plan",),
    ("gc", "--max-size", "1B"),
    ("fsck", "--repair"),
)
EDITS = {
    "services/api/app/main.py": ("print('api')\n", "print('other')\n"),
    "services/job/run.sh": ("#!/bin/sh\necho job\n", "#!/bin/sh\necho jab\n"),
    "services/job/requirements.txt": ("", "beta\n", "gamma\nbeta\n"),
    "base/web/requirements.txt": ("beta\n", "# none\n"),
}

Made = dict[str, list[str]]
"""Of each image its digest, and its layers."""


def refuse() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


ENDS: dict[str, Callable[[], None]] = {
    "killed": end_at_once,
    "interrupted": interrupt,
    "refused by the disk": refuse,
}


@dataclass
class Clean:
    """What clean builds make, by what the edited files hold; each is made once."""

    folder: Path
    new: Ground
    tally: Tally
    known: dict[tuple[str, ...], Made] = field(default_factory=dict)

    def made(self, texts: tuple[str, ...]) -> Made:
        if texts not in self.known:
            home = Path(tempfile.mkdtemp(dir=self.folder))
            ground = self.new.copy(home / "clean")
            for name, text in zip(EDITS, texts, strict=True):
                (ground.root / name).write_text(text)
            self.known[texts] = built(ground)
            shutil.rmtree(home)
        return self.known[texts]


def built(ground: Ground) -> Made:
    """Lock and build to the end; return what every image is made of."""
    for verb in ("lock", "build"):
        ended = ground.run(verb)
        assert ended.code == 0, ended.said
    layout = Layout(ground.paths.layout)
    made: Made = {}
    for name, platforms in layout.names().items():
        for digest in platforms.values():
            layers, _ = layout.read_image(digest)
            made[name] = [digest, *(f"{layer.what}: {layer.digest}" for layer in layers)]
    return made


class Runs(RuleBasedStateMachine):
    """Edits and runs of a workspace, of which some are cut short; at the end it is built."""

    def __init__(self, clean: Clean) -> None:
        super().__init__()
        self.clean = clean
        self.home = Path(tempfile.mkdtemp(dir=clean.folder))
        self.ground = clean.new.copy(self.home / "ground")
        for name, texts in EDITS.items():
            (self.ground.root / name).write_text(texts[0])

    @rule(name=st.sampled_from(sorted(EDITS)), which=st.integers(0, 2))
    def edit(self, name: str, which: int) -> None:
        texts = EDITS[name]
        (self.ground.root / name).write_text(texts[which % len(texts)])

    @rule(verb=st.sampled_from(VERBS))
    def run(self, verb: tuple[str, ...]) -> None:
        self.ground.run(*verb)
        self.clean.tally.count("completed runs in sequences")

    @rule(
        verb=st.sampled_from(VERBS),
        point=st.integers(1, 150),
        end=st.sampled_from(sorted(ENDS)),
    )
    def cut_short(self, verb: tuple[str, ...], point: int, end: str) -> None:
        watch: Watch = count_down(point, ENDS[end])
        self.ground.run(*verb, watch=watch)
        self.clean.tally.count(f"runs in sequences that are {end}, if they come so far")

    def said(self) -> list[str]:
        """Return what all runs said, for whoever looks for what went wrong."""
        files = sorted(self.ground.home.glob("said-*"), key=lambda file: file.stat().st_mtime_ns)
        return [file.read_text(errors="replace") for file in files]

    def teardown(self) -> None:
        texts = tuple((self.ground.root / name).read_text() for name in EDITS)
        made, clean = built(self.ground), self.clean.made(texts)
        assert made == clean, "\n".join(self.said())
        assert self.ground.wrong() == ()
        self.clean.tally.count("sequences that ended as a clean build does")
        shutil.rmtree(self.home)


def test_after_any_runs_a_build_makes_what_a_clean_one_makes(
    request: pytest.FixtureRequest, new: Ground, home: Path, tally: Tally
) -> None:
    clean = Clean(home, new, tally)
    run_state_machine_as_test(
        lambda: Runs(clean),  # type: ignore[arg-type]  # what makes machines does as well
        settings=settings(
            max_examples=FULL_EXAMPLES if request.config.getoption("--full") else EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
