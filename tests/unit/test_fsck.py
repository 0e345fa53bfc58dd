"""What is kept and is not what it should be is found; what is dropped is made anew."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orchestrator.app.fsck import check_kept, repair
from orchestrator.elsewhere import Elsewhere
from orchestrator.errors import ExitCode
from orchestrator.fsck.contents import find_contents
from orchestrator.fsck.finding import Checked, Fault, Seen
from orchestrator.oci.layout import Layout
from orchestrator.paths import Paths
from orchestrator.remembered import stamps
from orchestrator.report.fsck import SilentCheck
from tests.tiny import Tiny, digests
from tests.verbs import run_orch


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    monkeypatch.setenv("ORCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(stamps, "_SETTLED_NS", 0)
    return Tiny.make(tmp_path / "ws", tmp_path / "sources", tmp_path / "cache")


@pytest.fixture
def paths(tiny: Tiny) -> Paths:
    return Paths.of(tiny.root)


@pytest.fixture
def built(tiny: Tiny) -> dict[str, str]:
    return digests(tiny.build())


def check(paths: Paths) -> Checked:
    return check_kept(paths, SilentCheck())


def faults(paths: Paths) -> set[tuple[str, Fault]]:
    """Return what is wrong, by the place that it is below."""
    return {(found.where.value, found.fault) for found in check(paths).findings}


def flip(file: Path) -> Path:
    """Change one byte of a file, in the middle, and not its size."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    return file


def first(folder: Path, pattern: str) -> Path:
    return min(folder.glob(pattern))


def test_nothing_is_wrong_before_and_after_a_build(tiny: Tiny, paths: Paths) -> None:
    assert check(paths) == Checked(0, 0, ())
    assert not paths.state.exists()
    tiny.build()
    checked = check(paths)
    assert checked.findings == ()
    assert checked.files > len(list(paths.layout.glob("blobs/sha256/*")))


DAMAGES: dict[str, Callable[[Paths], Path]] = {
    "layer": lambda paths: flip(first(paths.cache, "blobs/[0-9a-f]*")),
    "download": lambda paths: flip(first(paths.downloads, "??/*")),
    "segment": lambda paths: flip(first(paths.cache, "segments/??/*.gz")),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_other_bytes_of_the_same_size_are_found_and_made_anew(
    tiny: Tiny, paths: Paths, built: dict[str, str], what: str
) -> None:
    damaged = DAMAGES[what](paths)
    findings = check(paths).findings
    assert damaged in {found.path for found in findings}
    assert repair(paths, findings) == {}
    assert not damaged.exists()
    assert check(paths).findings == ()
    (paths.database).unlink()  # everything is put together again
    assert digests(tiny.build()) == built
    assert check(paths).findings == ()


def test_a_layer_with_two_names_is_read_once_and_loses_both(
    paths: Paths, built: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = find_contents(paths)
    assert len({item.inode for item in kept}) < len(kept), "layers are hard links to the cache"
    read: list[int] = []
    observer = SilentCheck()
    monkeypatch.setattr(observer, "read", read.append)
    assert check_kept(paths, observer).size_bytes == sum(read)
    damaged = DAMAGES["layer"](paths)
    found = [item for item in check(paths).findings if item.fault is Fault.DAMAGED]
    assert {item.path for item in found} == {damaged, paths.layout / "blobs/sha256" / damaged.name}


@pytest.mark.parametrize("blob", ["manifest", "config", "layer"])
@pytest.mark.parametrize("harm", ["gone", "flipped", "cut"])
def test_a_name_that_leads_to_no_whole_image_is_found_and_built_again(
    tiny: Tiny, paths: Paths, built: dict[str, str], blob: str, harm: str
) -> None:
    layout = Layout(paths.layout)
    manifest = layout.read_json(built["api"])
    digest = {
        "manifest": built["api"],
        "config": manifest["config"]["digest"],
        "layer": manifest["layers"][-1]["digest"],
    }[blob]
    path = layout.blob_path(digest)
    data = path.read_bytes()
    path.unlink()  # its other name in the cache stays what it is
    if harm != "gone":
        path.write_bytes(data if harm == "flipped" else data[:-1])
    if harm == "flipped":
        flip(path)
    findings = check(paths).findings
    (name,) = (found for found in findings if found.unname)
    assert (name.unname, name.fault) == ("api", Fault.MISSING)
    assert digest in name.what or "manifest" in name.what
    assert repair(paths, findings) == {}
    assert "api" not in layout.names()
    assert check(paths).findings == ()
    assert digests(tiny.build()) == built
    assert layout.names()["api"] == {"linux/amd64": built["api"]}
    assert check(paths).findings == ()


def test_layers_that_a_registry_has_are_not_missed(paths: Paths, built: dict[str, str]) -> None:
    layout = Layout(paths.layout)
    digest = layout.read_json(built["api"])["layers"][-1]["digest"]
    layout.blob_path(digest).unlink()
    Elsewhere(paths.elsewhere, layout).note([digest], "registry.example.com/team/api")
    assert check(paths).findings == ()
    (paths.elsewhere / digest.replace(":", "-")).write_text("no place\n")
    assert {found.fault for found in check(paths).findings} == {Fault.UNREADABLE}


TEXTS: dict[str, Callable[[Paths], Path]] = {
    "index": lambda paths: paths.layout / "index.json",
    "mark": lambda paths: paths.layout / "oci-layout",
    "layers": lambda paths: first(paths.cache, "layers/??/*.json"),
    "segment": lambda paths: first(paths.cache, "segments/??/*.json"),
    "places": lambda paths: paths.wheel_places,
    "records": lambda paths: paths.database,
    "memory": lambda paths: paths.memory,
}


@pytest.mark.parametrize("text", ["[1]", '{"a": ', "\x00" * 4096])
@pytest.mark.parametrize("what", TEXTS)
def test_a_file_that_makes_no_sense_is_found_and_made_anew(
    tiny: Tiny, paths: Paths, built: dict[str, str], what: str, text: str
) -> None:
    TEXTS[what](paths).write_text(text)
    findings = check(paths).findings
    assert {found.path for found in findings} == {TEXTS[what](paths)}
    assert repair(paths, findings) == {}
    assert check(paths).findings == ()
    assert digests(tiny.build()) == built
    assert set(Layout(paths.layout).names()) == set(built)
    assert check(paths).findings == ()


@pytest.mark.parametrize("folder", ["built", "tools"])
def test_records_of_the_wheelhouse_are_read(paths: Paths, tiny: Tiny, folder: str) -> None:
    file = paths.wheelhouse / folder / "key.json"
    file.parent.mkdir(parents=True)
    file.write_text("[]")
    (found,) = check(paths).findings
    assert (found.where.value, found.fault, found.path) == ("wheelhouse", Fault.UNREADABLE, file)


def test_a_database_of_another_schema_is_put_aside(
    tiny: Tiny, paths: Paths, built: dict[str, str]
) -> None:
    with closing(sqlite3.connect(paths.database)) as database:
        database.execute("DROP TABLE runs")
        database.commit()
    (found,) = check(paths).findings
    assert found.what == "the records have another schema than they say"
    repair(paths, [found])
    assert paths.database.with_suffix(".unusable").is_file()
    assert digests(tiny.build()) == built


def test_a_digest_that_is_remembered_wrongly_is_found(
    tiny: Tiny, paths: Paths, built: dict[str, str]
) -> None:
    with closing(sqlite3.connect(paths.memory)) as database:
        changed = database.execute("UPDATE found SET value = 'x' WHERE kind = 'file'").rowcount
        database.commit()
    assert changed
    (found,) = check(paths).findings
    assert found.fault is Fault.DAMAGED
    assert "services/" in found.what
    repair(paths, [found])
    assert digests(tiny.build()) == built


def test_a_memory_of_another_version_is_no_fault(
    tiny: Tiny, paths: Paths, built: dict[str, str]
) -> None:
    with closing(sqlite3.connect(paths.memory)) as database:
        database.execute("PRAGMA user_version = 1")
    assert check(paths).findings == ()


def test_a_file_that_took_the_place_of_a_bad_one_stays(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("bad")
    bad = Seen(file, file.stat().st_ino)
    (tmp_path / "good").write_text("good")
    (tmp_path / "good").rename(file)
    bad.drop()
    assert file.read_text() == "good"
    Seen(file, file.stat().st_ino).drop()
    assert not file.exists()


def orch(tiny: Tiny, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    ran = run_orch(capsys, "-C", tiny.root, "fsck", *arguments)
    return ran.code, ran.out, ran.err


def test_the_exit_code_says_whether_something_is_wrong_still(
    tiny: Tiny, paths: Paths, built: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert orch(tiny, capsys)[0] == ExitCode.DONE
    damaged = DAMAGES["download"](paths)
    code, out, said = orch(tiny, capsys)
    assert (code, len(out.splitlines())) == (ExitCode.FAILED, 1)
    assert str(damaged) in out
    assert "orch fsck --repair" in said
    assert damaged.exists()
    code, out, said = orch(tiny, capsys, "--repair")
    assert (code, str(damaged) in out) == (ExitCode.DONE, True)
    assert "dropped: 1 of 1" in said
    code, out, said = orch(tiny, capsys)
    assert (code, out) == (ExitCode.DONE, "")
    assert "nothing is wrong" in said


def test_what_cannot_be_dropped_is_said_and_fails(
    tiny: Tiny,
    paths: Paths,
    built: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    damaged = DAMAGES["download"](paths)

    def refuse(file: Path) -> None:
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(Path, "unlink", refuse)
    code, out, said = orch(tiny, capsys, "--repair", "--format", "json")
    assert code == ExitCode.FAILED
    assert f"warning: {damaged} stays: " in said
    document: dict[str, Any] = json.loads(out)
    assert not document["ok"]
    assert [found["repaired"] for found in document["findings"]] == [False]


def test_a_workspace_whose_recipes_cannot_be_read_is_checked_all_the_same(
    tiny: Tiny, paths: Paths, built: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tiny.root / "services/api/image.toml").write_text("nonsense")
    assert orch(tiny, capsys)[0] == ExitCode.DONE


def test_a_file_that_may_not_be_read_is_unreadable(
    paths: Paths, built: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = first(paths.downloads, "??/*")
    opening = Path.open

    def refuse(file: Path, *arguments: Any, **more: Any) -> Any:
        if file == refused:
            raise OSError(5, os.strerror(5), str(file))
        return opening(file, *arguments, **more)

    monkeypatch.setattr(Path, "open", refuse)
    (found,) = check(paths).findings
    assert (found.fault, found.path) == (Fault.UNREADABLE, refused)
    assert found.what == "cannot be read: Input/output error"
