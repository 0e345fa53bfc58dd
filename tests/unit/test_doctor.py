"""What `orch doctor` finds: each check where all is well, and where it is not."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from orchestrator.app import diagnosing
from orchestrator.app.diagnosing import diagnose
from orchestrator.engines.docker.engine import EngineVersion
from orchestrator.errors import MissingToolError
from orchestrator.fitness import docker as docker_checks
from orchestrator.fitness.docker import check_buildx, check_docker, judge_engine
from orchestrator.fitness.filesystem import check_filesystem, check_links
from orchestrator.fitness.finding import Finding, Level, fail, needed
from orchestrator.fitness.machine import check_memory, check_python, judge_disk, judge_memory
from orchestrator.fitness.registry import check_credentials, check_registry
from orchestrator.fitness.sources import check_clock, check_debian, check_indexes
from orchestrator.model import DebianSettings
from orchestrator.publish.credentials import Credentials
from orchestrator.publish.reference import Repository
from orchestrator.publish.wire import Wire
from orchestrator.report.fitness import fitness_document, fitness_lines
from orchestrator.resolve.python.indexes import Indexes
from tests.helpers import write_tree, write_workspace
from tests.registries import PASSWORD, USER, TinyRegistry, answering
from tests.verbs import forget_credentials

GB = 10**9
NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
SECRET = "planted-secret"


def levels(*found: Finding) -> list[str]:
    assert all(bool(one.hint) == (one.level is not Level.OK) for one in found), "what to do"
    return [one.level.value for one in found]


@pytest.mark.parametrize(
    ("version", "level"), [((3, 11, 0), "ok"), ((3, 10, 9), "fail"), ((3, 13, 1), "ok")]
)
def test_an_old_python_will_not_do(version: tuple[int, ...], level: str) -> None:
    assert levels(check_python(version)) == [level]


def test_another_system_than_linux_will_not_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    assert levels(check_python()) == ["fail"]


@pytest.mark.parametrize(
    ("free_bytes", "free_files", "level"),
    [(50 * GB, 10**6, "ok"), (50 * GB, 0, "ok"), (5 * GB, 10**6, "warn"), (GB // 2, 9, "fail")],
)
def test_a_full_disk_is_found_before_a_build_finds_it(
    free_bytes: int, free_files: int, level: str
) -> None:
    assert levels(judge_disk("disk", Path("/x"), free_bytes, free_files)) == [level]


def test_a_disk_without_room_for_files_is_found() -> None:
    found = judge_disk("disk", Path("/x"), 50 * GB, 9)
    assert levels(found) == ["warn"]
    assert "only 9 more files" in found.message


@pytest.mark.parametrize(("free", "level"), [(8, "ok"), (1, "warn"), (0.2, "fail")])
def test_little_memory_is_found(free: float, level: str) -> None:
    assert levels(judge_memory(int(free * GB))) == [level]


def test_a_containers_limit_is_what_memory_there_is(tmp_path: Path) -> None:
    write_tree(tmp_path, {"proc/meminfo": "MemTotal: 9 kB\nMemAvailable: 8000000 kB\n"})
    proc, cgroup = tmp_path / "proc", tmp_path / "cgroup"
    assert levels(check_memory(proc, cgroup)) == ["ok"]
    write_tree(cgroup, {"memory.max": "max\n"})
    assert levels(check_memory(proc, cgroup)) == ["ok"]
    write_tree(cgroup, {"memory.max": f"{GB}\n"})
    assert levels(check_memory(proc, cgroup)) == ["warn"]
    assert levels(check_memory(tmp_path, cgroup)) == ["warn"]


def refusing(*_: object, **__: object) -> None:
    raise OSError(errno.EOPNOTSUPP, "Operation not supported")


def test_a_file_system_with_all_that_is_asked_of_it_is_ok(tmp_path: Path) -> None:
    assert levels(*check_filesystem("files", tmp_path / "not/there")) == ["ok"]
    assert list(tmp_path.iterdir()) == []


def pretend(monkeypatch: pytest.MonkeyPatch, lack: str) -> None:
    """Let the file system lack something."""
    if lack == "lock":
        monkeypatch.setattr(fcntl, "flock", refusing)
    elif lack == "lock that holds":
        monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    elif lack == "rename":
        monkeypatch.setattr(Path, "replace", refusing)
    elif lack == "link":
        monkeypatch.setattr(Path, "symlink_to", refusing)
    elif lack == "attribute":
        monkeypatch.setattr(os, "setxattr", refusing)
    elif lack == "run":
        monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_NOEXEC))
    else:
        exists = Path.exists
        one_case = lambda path: path.name == "CASE" or exists(path)  # noqa: E731 - a method's stand-in
        monkeypatch.setattr(Path, "exists", one_case)


@pytest.mark.parametrize(
    ("lack", "level", "message"),
    [
        ("lock", "fail", "files cannot be locked"),
        ("lock that holds", "fail", "locks keep nobody out"),
        ("rename", "fail", "cannot take another's place"),
        ("link", "fail", "no symbolic links"),
        ("attribute", "warn", "no extended attributes"),
        ("run", "warn", "programs cannot be run"),
        ("case", "warn", "upper and lower case are one"),
    ],
)
def test_what_a_file_system_lacks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lack: str, level: str, message: str
) -> None:
    pretend(monkeypatch, lack)
    (found,) = check_filesystem("files", tmp_path)
    monkeypatch.undo()
    assert levels(found) == [level]
    assert message in found.message
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_may_not_be_written_to_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.TemporaryDirectory", refusing)
    assert levels(*check_filesystem("files", tmp_path)) == ["fail"]


def test_folders_on_one_disk_can_share_files_and_others_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert levels(check_links(tmp_path / "a", tmp_path / "b")) == ["ok"]
    monkeypatch.setattr(Path, "hardlink_to", refusing)
    assert levels(check_links(tmp_path / "a", tmp_path / "b")) == ["warn"]


def test_without_docker_what_says_so_is_a_failure_only_where_it_is_needed() -> None:
    found = check_docker()
    assert levels(found) == ["fail"]
    assert levels(needed(found, is_needed=False)) == ["warn"]
    assert needed(found, is_needed=True) == found


class FakeEngine:
    address = SimpleNamespace(url="unix:///x")

    def version(self) -> EngineVersion:
        return EngineVersion("26.1", (1, 45), platform="linux/amd64")

    def close(self) -> None:
        pass


def test_a_docker_engine_that_answers_is_ok(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_checks, "DockerEngine", FakeEngine)
    assert levels(check_docker()) == ["ok"]


def test_an_old_engine_is_a_warning_and_podman_no_engine() -> None:
    assert levels(judge_engine(EngineVersion("20.10", (1, 41)), "u")) == ["warn"]
    assert levels(judge_engine(EngineVersion("4", (1, 45), is_podman=True), "u")) == ["fail"]


def test_a_buildx_that_is_missing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_checks, "find_buildx", lambda: ("docker", "buildx"))
    assert levels(check_buildx()) == ["ok"]

    def missing() -> tuple[str, ...]:
        raise MissingToolError("docker has no buildx plugin", hint="install it")

    monkeypatch.setattr(docker_checks, "find_buildx", missing)
    assert levels(check_buildx()) == ["fail"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without anything, and a PATH of its own."""
    forget_credentials(monkeypatch, tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    return tmp_path


def helper(home: Path, name: str, script: str) -> None:
    write_tree(home, {f"bin/docker-credential-{name}": f"#!/bin/sh\n{script}\n"})
    (home / f"bin/docker-credential-{name}").chmod(0o755)


def test_a_helper_that_answers_is_ok_and_none_needed(home: Path) -> None:
    assert levels(*check_credentials(["r.example.com"])) == ["ok"]
    write_tree(home, {".docker/config.json": json.dumps({"credsStore": "all"})})
    helper(home, "all", f"""echo '{{"Username": "ann", "Secret": "{SECRET}"}}'""")
    (found,) = check_credentials(["r.example.com"])
    assert levels(found) == ["ok"]
    assert SECRET not in found.message


def test_a_helper_that_fails_or_lacks_is_named_and_what_it_says_is_not_shown(home: Path) -> None:
    config = {"credsStore": "all", "credHelpers": {"other.example.com": "gone"}}
    write_tree(home, {".docker/config.json": json.dumps(config)})
    helper(home, "all", f"echo {SECRET}; echo {SECRET} >&2; exit 7")
    found = check_credentials(["r.example.com"])
    assert levels(*found) == ["warn", "fail"]
    assert "docker-credential-gone is not on the PATH" in found[0].message
    assert "docker-credential-all fails with 7" in found[1].message
    assert SECRET not in "".join(one.message + one.hint for one in found)


def test_a_config_that_is_no_json_is_found(home: Path) -> None:
    write_tree(home, {".docker/config.json": f'{{"auths": "{SECRET}"'})
    (found,) = check_credentials([])
    assert levels(found) == ["fail"]
    assert SECRET not in found.message


@pytest.fixture
def tiny() -> Iterator[TinyRegistry]:
    with TinyRegistry().running() as tiny:
        yield tiny


def asked_of(tiny: TinyRegistry, known: Credentials | None = None) -> tuple[list[Finding], str]:
    wire = Wire(actions="pull,push", find=lambda _: known, attempts=1, retry_s=0)
    try:
        return check_registry(wire, Repository(tiny.address, "team/api"))
    finally:
        wire.close()


def test_a_registry_that_may_be_written_to_is_ok_and_keeps_nothing(tiny: TinyRegistry) -> None:
    found, date = asked_of(tiny)
    assert levels(*found) == ["ok", "ok"]
    assert date
    assert not tiny.uploads
    assert not tiny.blobs
    assert [line.partition(" ")[0] for line in tiny.asked] == ["GET", "POST", "DELETE"]


def test_a_registry_without_credentials_for_it_is_a_failure(tiny: TinyRegistry) -> None:
    tiny.auth = "basic"
    assert levels(*asked_of(tiny)[0]) == ["fail"]
    found, _ = asked_of(tiny, Credentials(USER, PASSWORD))
    assert levels(*found) == ["ok", "ok"]


@pytest.mark.parametrize(("status", "level"), [(403, "fail"), (404, "warn")])
def test_a_registry_that_refuses_an_upload_is_found(
    tiny: TinyRegistry, status: int, level: str
) -> None:
    tiny.faults = [None, answering(status)]
    assert levels(*asked_of(tiny)[0]) == ["ok", level]


def test_what_is_no_registry_and_what_is_not_there_are_failures(tiny: TinyRegistry) -> None:
    tiny.faults = [answering(500), answering(418)]
    assert levels(*asked_of(tiny)[0]) == ["fail"]
    assert levels(*asked_of(tiny)[0]) == ["fail"]
    nobody = TinyRegistry(address="127.0.0.1:9")
    assert levels(*asked_of(nobody)[0]) == ["fail"]


def test_an_index_that_answers_is_ok_and_its_password_is_not_shown(tiny: TinyRegistry) -> None:
    url = f"http://ann:{SECRET}@{tiny.address}/simple"
    tiny.faults = [answering(200), answering(404)]
    found, date = check_indexes(Indexes(url, (url,)))
    assert levels(*found) == ["ok", "ok"]
    assert date
    tiny.faults = [answering(401)]
    refused, _ = check_indexes(Indexes(url))
    absent, _ = check_indexes(Indexes(f"http://ann:{SECRET}@127.0.0.1:9/simple"))
    assert levels(*refused, *absent) == ["fail", "fail"]
    assert SECRET not in "".join(one.message for one in (*found, *refused, *absent))


def test_a_folder_of_wheels_must_be_there(tmp_path: Path) -> None:
    assert levels(*check_indexes(Indexes(find_links=(str(tmp_path),), no_index=True))[0]) == ["ok"]
    absent = Indexes(find_links=(str(tmp_path / "no"),), no_index=True)
    assert levels(*check_indexes(absent)[0]) == ["fail"]


def test_archives_and_what_verifies_them_must_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = tmp_path / "ring.gpg"
    mirror = (tmp_path / "mirror").as_uri()
    settings = DebianSettings(mirror=mirror, keyring=str(ring))
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert levels(*check_debian(settings)[0]) == ["fail", "fail", "fail"]
    write_tree(tmp_path, {"mirror/dists/bookworm/InRelease": "", "ring.gpg": ""})
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    assert levels(*check_debian(settings)[0]) == ["ok"]


@pytest.mark.parametrize(
    ("off_s", "level"), [(0, "ok"), (-29, "ok"), (60, "warn"), (-60, "warn"), (400, "fail")]
)
def test_a_clock_that_is_off_is_found(off_s: int, level: str) -> None:
    there = datetime.fromtimestamp(NOW.timestamp() - off_s, UTC)
    assert levels(check_clock(format_datetime(there, usegmt=True), NOW)) == [level]


@pytest.mark.parametrize("told", ["", "yesterday"])
def test_without_a_time_to_compare_the_clock_is_taken_as_it_is(told: str) -> None:
    assert levels(check_clock(told, NOW)) == ["ok"]


def by_name(found: list[Finding]) -> dict[str, Finding]:
    return {one.check: one for one in found}


def test_a_broken_workspace_is_a_finding_and_the_rest_is_looked_at(
    tmp_path: Path, home: Path, orch_cache: Path
) -> None:
    write_workspace(tmp_path / "ws", {"base/a": 'from = "nothing'})
    found = by_name(diagnose(tmp_path / "ws", offline=True))
    assert levels(found["workspace"]) == ["fail"]
    assert {"python", "disk", "memory", "files", "hard-links", "docker"} <= found.keys()


def test_without_a_workspace_the_machine_is_looked_at(
    tmp_path: Path, home: Path, orch_cache: Path
) -> None:
    assert levels(by_name(diagnose(tmp_path, offline=True))["workspace"]) == ["warn"]
    assert not (tmp_path / ".orch").exists()


def test_docker_is_needed_where_there_are_dockerfiles(
    tmp_path: Path, home: Path, orch_cache: Path
) -> None:
    write_tree(tmp_path, {"orch.toml": "", "base/a/Dockerfile": "FROM scratch\n"})
    assert by_name(diagnose(tmp_path, offline=True))["docker"].level is Level.FAIL
    (tmp_path / "orch.toml").write_text('[buildkit]\nbuilder = "far"\n')
    assert by_name(diagnose(tmp_path, offline=True))["docker"].level is Level.WARN


@pytest.fixture
def default_index(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let the resolver's own default index answer; the function called, it does not."""
    monkeypatch.setattr(diagnosing, "_check_default", lambda _: [])
    broken = [fail("python-index", "no", "see")]
    return lambda: monkeypatch.setattr(diagnosing, "_check_default", lambda _: broken)


def test_the_registry_of_the_settings_is_asked_and_the_clock_compared_with_it(
    tmp_path: Path,
    home: Path,
    orch_cache: Path,
    tiny: TinyRegistry,
    default_index: Callable[[], None],
) -> None:
    write_workspace(tmp_path, {"base/a": 'from = "debian:bookworm"'})
    with (tmp_path / "orch.toml").open("a") as file:
        file.write(f'mirror = "{tmp_path.as_uri()}"\n')
    settings = (tmp_path / "orch.toml").read_text()
    (tmp_path / "orch.toml").write_text(f'registry = "{tiny.address}/team"\n{settings}')
    found = by_name(diagnose(tmp_path))
    assert levels(found["registry"], found["registry-write"], found["clock"]) == ["ok"] * 3
    assert "as servers have it" in found["clock"].message
    default_index()
    assert by_name(diagnose(tmp_path))["python-index"].level is Level.FAIL
    (tmp_path / "base/a/image.toml").unlink()
    (tmp_path / "base/a/Dockerfile").write_text("FROM scratch\n")
    found = by_name(diagnose(tmp_path))
    assert found["python-index"].level is Level.WARN, "nothing here takes packages"


def test_the_document_and_the_text_say_what_to_do() -> None:
    bad = fail("disk", "full", "delete something")
    document = fitness_document([bad])
    assert document["ok"] is False
    assert document["checks"] == [
        {"check": "disk", "level": "fail", "message": "full", "hint": "delete something"}
    ]
    assert list(fitness_lines([bad])) == ["fail  disk  full", "            hint: delete something"]
