"""What `orch gc` lets go of, and what it never touches."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.app import collecting
from orchestrator.app.collecting import Budget, collect_garbage
from orchestrator.app.keeping import Unwanted, collect_unwanted
from orchestrator.app.opened import open_workspace
from orchestrator.app.recording import remember_build
from orchestrator.engines.docker.presence import private_tag
from orchestrator.errors import MissingToolError, OrchError
from orchestrator.report.collected import collected_document
from orchestrator.scratch import SCRATCH, scratch_folder
from orchestrator.settings import read_settings
from orchestrator.unused.entries import (
    Because,
    Collected,
    Entry,
    Part,
    Swept,
    choose_unused,
    freed_bytes,
)
from orchestrator.usage import note_use, working_in
from tests.helpers import write_tree
from tests.tiny import Tiny, digests, statuses

DAY_S = 86_400.0
NOW_S = 100 * DAY_S
FOR_EVER = Budget(0)


@pytest.fixture
def tiny(tmp_path: Path, orch_cache: Path) -> Tiny:
    return Tiny.make(tmp_path / "ws", tmp_path / "sources", orch_cache)


def gc(tiny: Tiny, budget: Budget = FOR_EVER, *, dry_run: bool = False) -> dict[Part, Swept]:
    found = collect_garbage(open_workspace(tiny.root), budget, dry_run=dry_run)
    return {part.part: part for part in found.parts}


def files(*folders: Path) -> set[Path]:
    found = (Path(f) / name for top in folders for f, _, names in os.walk(top) for name in names)
    return {file for file in found if file.name not in {"gc.guard", "files.db"}}


def make_old(*folders: Path) -> None:
    for file in files(*folders):
        os.utime(file, (0, 0))


def entry(name: str, days_old: float, **more: object) -> Entry:
    return replace(Entry(Path(name), 100, NOW_S - days_old * DAY_S), **more)  # type: ignore[arg-type]


NEW, OLD, OLDER = entry("new", 1), entry("old", 40), entry("older", 50)
WANTED = entry("wanted", 90, is_wanted=True)


def test_what_was_not_used_for_long_goes_unless_it_is_wanted() -> None:
    going = choose_unused([NEW, OLD, OLDER, WANTED], NOW_S, 30 * DAY_S, None)
    assert going == {OLDER: Because.UNUSED, OLD: Because.UNUSED}


def test_the_longest_unused_goes_until_all_is_small_enough() -> None:
    going = choose_unused([NEW, OLD, OLDER, WANTED], NOW_S, 0, 250)
    assert going == {OLDER: Because.OVER_BUDGET, OLD: Because.OVER_BUDGET}


def test_without_a_budget_only_what_is_left_over_goes() -> None:
    left = entry("half", 2, left_over=True)
    assert choose_unused([NEW, OLD, left], NOW_S, 0, None) == {left: Because.LEFT_OVER}


def test_what_an_image_has_in_common_does_not_go_for_its_size() -> None:
    shared = entry("layer", 50, inode=(1, 2), links=2)
    assert choose_unused([shared, OLD], NOW_S, 0, 0) == {OLD: Because.OVER_BUDGET}


def test_a_file_of_two_names_frees_its_bytes_when_both_go() -> None:
    one = entry("cache/layer", 1, inode=(1, 2), links=2)
    other = entry("layout/layer", 1, inode=(1, 2), links=2)
    assert freed_bytes([one]) == 0
    assert freed_bytes([one, other]) == 100


def test_after_a_build_nothing_of_its_images_goes(tiny: Tiny) -> None:
    run = tiny.build()
    before = files(tiny.root, tiny.cache)
    assert not any(part.going for part in gc(tiny).values())
    assert files(tiny.root, tiny.cache) == before
    assert set(statuses(tiny.build()).values()) == {"reused"}
    assert run.ok


def test_what_a_later_build_replaced_goes_and_no_blob_of_what_there_is(tiny: Tiny) -> None:
    replaced = digests(tiny.build())["api"]
    write_tree(tiny.root, {"services/api/app/main.py": "print('new')\n"})
    now = digests(tiny.build())
    swept = gc(tiny)[Part.IMAGES]
    assert f"{tiny.layout.blob_path(replaced)}" in map(str, (e.path for e in swept.going))
    assert not tiny.layout.blob_path(replaced).exists()
    assert all(tiny.layout.has_image(digest) for digest in now.values())
    assert set(statuses(tiny.build()).values()) == {"reused"}


def test_a_dry_run_says_the_same_and_removes_nothing(tiny: Tiny) -> None:
    tiny.build()
    write_tree(tiny.root, {"services/api/app/main.py": "print('new')\n"})
    tiny.build()
    make_old(tiny.cache, tiny.root / ".orch/logs")
    before = files(tiny.root, tiny.cache)
    opened = open_workspace(tiny.root)
    foreseen = collect_garbage(opened, Budget(DAY_S), dry_run=True)
    assert files(tiny.root, tiny.cache) == before
    done = collect_garbage(opened, Budget(DAY_S), dry_run=False)
    assert [set(part.going) for part in foreseen.parts] != [set()] * 3
    told, said = collected_document(foreseen), collected_document(done)
    assert said["freed_bytes"] == told["freed_bytes"] > 0
    assert [part["removed_bytes"] for part in said["parts"]] == [
        part["removed_bytes"] for part in told["parts"]
    ]
    gone = {e.path for part in done.parts for e in part.going}
    assert before - files(tiny.root, tiny.cache) == {file for file in gone if file in before}


def test_an_image_that_left_the_workspace_loses_its_name_and_its_blobs(tiny: Tiny) -> None:
    worker = digests(tiny.build())["worker"]
    shutil.rmtree(tiny.root / "services/worker")
    gc(tiny)
    assert "worker" not in tiny.layout.names()
    assert not tiny.layout.blob_path(worker).exists()
    assert not (tiny.root / ".orch/logs/worker.log").exists()
    assert (tiny.root / ".orch/logs/api.log").exists()


def test_what_went_of_the_cache_is_made_again_the_same(tiny: Tiny) -> None:
    before = digests(tiny.build())
    make_old(tiny.cache)
    swept = gc(tiny, Budget(DAY_S))[Part.CACHE]
    assert {e.path.parent.parent.name for e in swept.going} >= {"segments", "layers"}
    assert {e.path.parent.parent.name for e in swept.staying} == {"downloads"}, "the lock has these"
    shutil.rmtree(tiny.root / ".orch")
    assert digests(tiny.build()) == before


def test_what_a_build_uses_is_not_old_any_more(tiny: Tiny) -> None:
    tiny.build()
    make_old(tiny.cache)
    shutil.rmtree(tiny.root / ".orch")
    tiny.build()
    kept = {file.relative_to(tiny.cache).parts[0] for file in files(tiny.cache)}
    gc(tiny, Budget(DAY_S))
    left = {file.relative_to(tiny.cache).parts[0] for file in files(tiny.cache)}
    assert {"blobs", "layers", "segments"} <= left <= kept


def test_where_a_run_is_at_work_nothing_goes(tiny: Tiny) -> None:
    tiny.build()
    make_old(tiny.cache, tiny.root / ".orch/logs")
    shutil.rmtree(tiny.root / "services/worker")
    before = files(tiny.root, tiny.cache)
    with working_in(tiny.root / ".orch", tiny.cache):
        swept = gc(tiny, Budget(DAY_S))
        assert all(part.in_use for part in swept.values())
        assert all(part.going for part in swept.values()), "it is said what would go"
        with pytest.raises(OrchError, match="a run is at work"):
            collect_unwanted(open_workspace(tiny.root), Unwanted(unlocked=True, even_locked=True))
    assert files(tiny.root, tiny.cache) == before
    assert (
        collected_document(Collected(tuple(swept.values()), (), dry_run=False))["freed_bytes"] == 0
    )
    assert not any(part.in_use for part in gc(tiny).values())


def test_a_build_is_at_work_while_it_lasts(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    def look(*_: object) -> None:
        seen.extend(part.in_use for part in gc(tiny, Budget(1)).values())

    monkeypatch.setattr("orchestrator.app.building._name", look)
    tiny.build()
    assert seen == [True] * 3


def test_a_download_that_broke_off_stays_for_a_day(tiny: Tiny) -> None:
    half = tiny.cache / "downloads/ab/abc.part"
    write_tree(tiny.cache, {"downloads/ab/abc.part": "half", "blobs/.unnamed-1.x": "half"})
    write_tree(tiny.cache, {".wheel-places.json.x": "half", "wheelhouse/built/.y": "half"})
    gc(tiny)
    assert half.exists()
    make_old(tiny.cache)
    gone = gc(tiny)[Part.CACHE].going
    assert set(gone.values()) == {Because.LEFT_OVER}
    assert len(gone) == 4
    assert not half.exists()


def test_a_scratch_folder_goes_at_once_when_its_run_is_gone_and_never_before(tiny: Tiny) -> None:
    tiny.build()
    write_tree(tiny.cache, {f"{SCRATCH}/left/x": "x"})
    with scratch_folder() as held:  # sweeps too
        assert not (tiny.cache / SCRATCH / "left").exists()
        write_tree(tiny.cache, {f"{SCRATCH}/left/x": "x"})
        gone = gc(tiny, Budget(1e-9, 0))[Part.CACHE].going
        assert gone[next(e for e in gone if e.path.name == "left")] is Because.LEFT_OVER
        assert list((tiny.cache / SCRATCH).iterdir()) == [held]


def test_what_a_killed_build_left_in_the_workspace_goes(tiny: Tiny) -> None:
    tiny.build()
    state = tiny.root / ".orch"
    write_tree(
        state, {"layout/.import-1/x": "x", "contexts/api/context/x": "x", "contexts/api/.lock": ""}
    )
    gc(tiny)
    assert not (state / "layout/.import-1").exists()
    assert [file.name for file in (state / "contexts/api").iterdir()] == [".lock"]
    assert (state / "layout/.lock").exists()


def test_the_cache_is_brought_to_its_size_as_far_as_the_lock_lets_it(tiny: Tiny) -> None:
    tiny.build()
    found = collect_garbage(open_workspace(tiny.root), Budget(0, 1), dry_run=False)
    assert any("the cache keeps" in note for note in found.notes)
    assert Because.OVER_BUDGET in found.parts[2].going.values()


def test_the_settings_say_what_is_kept_and_options_go_first(tiny: Tiny) -> None:
    with (tiny.root / "orch.toml").open("a") as file:
        file.write('\n[gc]\ndays = 2\nmax-size = "5 GB"\n')
    opened = open_workspace(tiny.root)
    assert Budget.of(opened, None, None) == Budget(2 * DAY_S, 5 * 10**9)
    assert Budget.of(opened, 60.0, 7) == Budget(60.0, 7)


def test_days_out_of_range_are_refused(tmp_path: Path) -> None:
    (tmp_path / "orch.toml").write_text("[gc]\ndays = -1\n")
    with pytest.raises(OrchError, match="days must not be -1"):
        read_settings(tmp_path)


def test_a_time_is_noted_once_an_hour_and_nothing_of_what_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "x"
    assert note_use(file) is None
    file.touch()
    os.utime(file, (0, 0))
    assert note_use(file) is not None
    noted = file.stat().st_mtime_ns
    assert noted > 0
    note_use(file)
    assert file.stat().st_mtime_ns == noted


class FakeDocker:
    """Takes tags off that are there, but for those in use."""

    present: set[str]
    in_use: set[str]

    def untag(self, tag: str) -> bool:
        if tag in self.in_use:
            return False
        self.present.discard(tag)
        return True

    def close(self) -> None:
        pass


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> type[FakeDocker]:
    FakeDocker.present, FakeDocker.in_use = set(), set()
    monkeypatch.setattr(collecting, "DockerEngine", FakeDocker)
    monkeypatch.setattr(collecting, "read_present", lambda: frozenset(FakeDocker.present))
    return FakeDocker


def test_in_docker_goes_what_this_workspace_replaced_and_nobody_elses(
    tiny: Tiny, docker: type[FakeDocker]
) -> None:
    old = tiny.build()
    remember_build(old)
    write_tree(tiny.root, {"services/api/app/main.py": "print('new')\n"})
    now = digests(tiny.build())
    replaced, another = private_tag("api", digests(old)["api"]), private_tag("api", "sha256:ff")
    FakeDocker.present = {replaced, another, private_tag("api", now["api"])}
    assert gc(tiny, dry_run=True)[Part.DOCKER].tags == (replaced,)
    assert replaced in FakeDocker.present
    FakeDocker.in_use = {replaced}
    assert Part.DOCKER not in gc(tiny)
    FakeDocker.in_use = set()
    assert gc(tiny)[Part.DOCKER].tags == (replaced,)
    assert FakeDocker.present == {another, private_tag("api", now["api"])}


def test_without_docker_the_rest_is_collected(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    remember_build(tiny.build())
    write_tree(tiny.root, {"services/api/app/main.py": "print('new')\n"})
    tiny.build()

    def nobody() -> frozenset[str]:
        raise MissingToolError("no engine")

    monkeypatch.setattr(collecting, "read_present", nobody)
    assert gc(tiny)[Part.IMAGES].going


def test_the_document_says_of_each_thing_why_it_goes(tiny: Tiny) -> None:
    tiny.build()
    make_old(tiny.cache)
    found = collect_garbage(open_workspace(tiny.root), Budget(DAY_S), dry_run=True)
    document = json.loads(json.dumps(collected_document(found)))
    (cache,) = (part for part in document["parts"] if part["part"] == "cache")
    assert {row["because"] for row in cache["removed"]} == {"unused"}
    assert all(row["used"].startswith("1970-01-01") for row in cache["removed"])
