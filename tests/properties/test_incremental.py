"""Building bit by bit, after any edits, makes what a clean build makes, and no more than that.

Images that Dockerfiles make need an engine to be built; of these the fingerprints are compared.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from orchestrator.app.building import BuildRun, build
from orchestrator.app.opened import open_workspace
from orchestrator.app.planning import BuildOptions, plan
from orchestrator.remembered import stamps
from orchestrator.select import Selection
from tests.dockerfiles import prints_of
from tests.edited_dockerfiles import ARGUMENTS, FIXED, IGNORE_FILES, IGNORES, SAID, TARGETS
from tests.edits import (
    EXCLUDES,
    FOLDERS,
    LINKS,
    NAMES,
    PARENTS,
    RECIPES,
    SITE_FOLDER,
    VERSIONS,
    Edited,
    Sources,
    strict_umask,
)
from tests.fakes import FakeObserver
from tests.helpers import AMD64
from tests.tiny import statuses

EXAMPLES, FULL_EXAMPLES, STEPS = 300, 3000, 7
Images = dict[str, tuple[str, ...]]
"""Fingerprint of each image, and the digest of what was built."""


@dataclass
class Ground:
    """What all sequences share: packages, two caches, and what was ever seen."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    sources: Sources
    clean: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    made: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    inputs: dict[tuple[str, str], str] = field(default_factory=dict)

    def build(self, root: Path, cache: str) -> BuildRun:
        """Build everything that is stale, with one of the caches."""
        self.monkeypatch.setenv("ORCH_CACHE", str(self.folder / cache))
        return build(open_workspace(root), BuildOptions(AMD64, jobs=1), FakeObserver())

    def let_the_clock_tick(self) -> None:
        """Return when what is written from now on gets other times than what was before."""
        probe = self.folder / "probe"
        probe.write_bytes(b"")
        before = probe.stat().st_ctime_ns
        while probe.stat().st_ctime_ns == before:
            os.utime(probe)

    def built_clean(self, edited: Edited, made_of: Mapping[str, str]) -> Images:
        """Return what a copy of a workspace elsewhere comes to, where nothing was ever built."""
        unknown = {name for name, inputs in made_of.items() if (name, inputs) not in self.clean}
        if unknown:
            root = Path(tempfile.mkdtemp(dir=self.folder)) / "elsewhere/deeper"
            with strict_umask():
                edited.copy(root)
                if unknown & set(RECIPES):
                    found = images_of(self.build(root, "clean-cache"))
                else:
                    found = {name: (one.digest,) for name, one in prints_of(root).items()}
            self.clean |= {(name, made_of[name]): found[name] for name in unknown}
            shutil.rmtree(root)
        return {name: self.clean[name, inputs] for name, inputs in made_of.items()}

    def check_told_apart(self, made_of: Mapping[str, str], images: Images) -> None:
        """Fail unless images have one fingerprint and digest exactly if they are made of one."""
        for name, inputs in made_of.items():
            assert self.made.setdefault((name, inputs), images[name]) == images[name]
            for value in images[name]:
                known = self.inputs.setdefault((name, value), inputs)
                assert known == inputs, f"{name} is made of something else, and is {value} still"


def images_of(run: BuildRun) -> Images:
    assert run.ok, [outcome.error for outcome in run.outcomes.values() if outcome.error]
    return {
        name: (outcome.step.fingerprint.digest, *([outcome.digest] if name in RECIPES else []))
        for name, outcome in run.outcomes.items()
    }


folders = st.sampled_from((*FOLDERS, SITE_FOLDER))  # two images see much of what lies there
images = st.sampled_from(RECIPES)
which = st.integers(0, 20)
facts = st.one_of(
    st.tuples(st.just("exclude"), st.sampled_from(tuple(EXCLUDES))),
    st.tuples(st.just("mode"), st.sampled_from(("", "0640"))),
    st.tuples(st.sampled_from(("env", "label")), st.sampled_from(("", "one", "two"))),
    st.tuples(st.just("max_size"), st.integers(1, 2)),
    st.tuples(st.just("extra"), st.sampled_from(("", *VERSIONS))),
)


class Edits(RuleBasedStateMachine):
    """Edits of a workspace; after each, everything is built."""

    def __init__(self, ground: Ground) -> None:
        super().__init__()
        self.ground = ground
        self.root = Path(tempfile.mkdtemp(dir=ground.folder))
        self.edited = Edited(self.root, ground.sources)
        self.before: dict[str, str] = {}

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    def pick(self, folder: str, index: int) -> str:
        """Return one of the regular files of a folder."""
        files = self.edited.files(folder)
        return f"{folder}/{files[index % len(files)]}"

    @rule(
        folder=folders,
        name=st.sampled_from((*NAMES, *LINKS, FIXED)),
        data=st.sampled_from((b"", b"a", b"b", b"#!/bin/sh\n", b"#!/bin/ba\n")),
        keep_times=st.booleans(),
        anew=st.booleans(),
    )
    def write(self, folder: str, name: str, data: bytes, keep_times: bool, anew: bool) -> None:  # noqa: FBT001 - drawn by name
        self.edited.write(f"{folder}/{name}", data, keep_times=keep_times, anew=anew)

    @rule(
        folder=folders,
        index=which,
        mode=st.sampled_from((0o755, 0o744, 0o700, 0o775, 0o644, 0o600, 0o664, 0o666)),
    )
    def change_mode(self, folder: str, index: int, mode: int) -> None:
        (self.root / self.pick(folder, index)).chmod(mode)

    @rule(folder=folders, index=which, time=st.sampled_from((0, 1_000_000_000, 4_000_000_000)))
    def touch(self, folder: str, index: int, time: int) -> None:
        os.utime(self.root / self.pick(folder, index), (time, time))

    @rule(folder=folders, index=which, to_folder=folders, to=st.sampled_from(NAMES))
    def move(self, folder: str, index: int, to_folder: str, to: str) -> None:
        path = self.pick(folder, index)
        if not path.endswith(FIXED):
            self.edited.move(path, f"{to_folder}/{to}")

    @rule(folder=folders, index=which, to=st.sampled_from(NAMES))
    def rename(self, folder: str, index: int, to: str) -> None:
        self.move(folder, index, folder, to)

    @rule(folder=folders, index=which)
    def delete(self, folder: str, index: int) -> None:
        path = self.root / self.pick(folder, index)
        if path.name != FIXED:
            path.unlink()

    @rule(folder=folders)
    def make_or_remove_a_folder(self, folder: str) -> None:
        empty = self.root / folder / "sub/empty"
        empty.rmdir() if empty.exists() else empty.mkdir(parents=True)

    @rule(folder=folders, name=st.sampled_from(tuple(LINKS)), index=st.integers(0, 2))
    def link(self, folder: str, name: str, index: int) -> None:
        self.edited.link(f"{folder}/{name}", LINKS[name][index])

    @rule(name=images, fact=facts)
    def change(self, name: str, fact: tuple[str, object]) -> None:
        self.edited.change(name, **dict([fact]))

    @rule(name=st.sampled_from(tuple(PARENTS)), index=which)
    def stand_on(self, name: str, index: int) -> None:
        self.edited.change(name, parent=PARENTS[name][index % len(PARENTS[name])])

    @rule(line=st.sampled_from(("nobody<2\n", "nobody<3\n", "web<99\n", "# alpha<1\n")))
    def constrain(self, line: str) -> None:
        self.edited.constrain(line)

    @initialize(index=which, rules=st.sampled_from(tuple(IGNORES)), tracked=st.booleans())
    def begin(self, index: int, rules: tuple[str, ...], tracked: bool) -> None:  # noqa: FBT001 - drawn by name
        debugs, links = SAID["debug"], LINKS["link"]
        self.edited.link(f"{SITE_FOLDER}/link", links[index % len(links)])
        self.edited.say(debug=debugs[index % len(debugs)], ignores={IGNORE_FILES[index % 2]: rules})
        if tracked:
            self.edited.commit()

    @rule(field=st.sampled_from(tuple(SAID)), index=which)
    def say(self, field: str, index: int) -> None:
        self.edited.say(**{field: SAID[field][index % len(SAID[field])]})

    @rule(
        name=st.sampled_from(("site", "site-debug")),
        stage=st.sampled_from(TARGETS),
        arguments=st.sampled_from(ARGUMENTS),
    )
    def set_table(self, name: str, stage: str, arguments: tuple[tuple[str, str], ...]) -> None:
        self.edited.say(tables={**self.edited.said.tables, name: (stage, arguments)})

    @rule(file=st.sampled_from(IGNORE_FILES), rules=st.sampled_from(tuple(IGNORES)))
    def ignore(self, file: str, rules: tuple[str, ...]) -> None:
        self.edited.say(ignores={**self.edited.said.ignores, file: rules})

    @precondition(lambda self: self.edited.said.ignores)
    @rule(index=which)
    def ignore_no_more(self, index: int) -> None:
        ignores = dict(self.edited.said.ignores)
        del ignores[list(ignores)[index % len(ignores)]]
        self.edited.say(ignores=ignores)

    @rule()
    def commit(self) -> None:
        self.edited.commit()

    @precondition(lambda self: self.edited.commits)
    @rule(index=which)
    def check_out(self, index: int) -> None:
        self.edited.commit()
        commits = list(self.edited.commits)
        self.edited.check_out(commits[index % len(commits)])

    @precondition(lambda self: self.edited.commits)
    @rule(index=which)
    def look_back(self, index: int) -> None:
        commits = list(self.edited.commits)
        commit = commits[index % len(commits)]
        options = BuildOptions(AMD64, Selection(since=commit))
        planned = plan(open_workspace(self.root), options)
        assert planned.notes == ()
        assert set(planned.wanted) == self.edited.differing_since(commit)

    @invariant()
    def what_is_built_equals_a_clean_build(self) -> None:
        made_of = self.edited.made_of()
        self.ground.let_the_clock_tick()
        run = self.ground.build(self.root, "cache")
        found = images_of(run)
        for name, status in statuses(run).items():
            same = self.before.get(name) == made_of[name]
            assert status == (
                "unavailable" if name not in RECIPES else "reused" if same else "built"
            )
        assert found == self.ground.built_clean(self.edited, made_of)
        self.ground.check_told_apart(made_of, found)
        self.before = made_of


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """Return a folder in memory if this machine has one: records wait for the disk."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="orch-edits-", dir=place) as folder:
        yield Path(folder)


def test_building_after_any_edits_makes_what_a_clean_build_makes(
    request: pytest.FixtureRequest, in_memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    # Else no file of a sequence would ever be old enough to be remembered.
    monkeypatch.setattr(stamps, "_SETTLED_NS", 0)
    ground = Ground(in_memory, monkeypatch, Sources.make(in_memory / "made"))
    full = request.config.getoption("--full")
    run_state_machine_as_test(
        lambda: Edits(ground),  # type: ignore[arg-type]  # what makes machines does as well
        settings=settings(
            max_examples=FULL_EXAMPLES if full else EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
