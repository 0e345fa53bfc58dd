"""Gates on what is read off an image: each has an image that breaks it and one that nearly does."""

from __future__ import annotations

import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.model import Gates, ImageKind
from orchestrator.verify.gate import Former, Result
from orchestrator.verify.gates import GATES, judge
from orchestrator.workspace import read_workspace
from tests.debs import file, folder, link, make_elf, special
from tests.helpers import write_tree
from tests.trials import CONFIG, contents_of, result_of, subject_of, verdict_of

SERVE = file("app/serve", b"x", 0o755)
LIB = "usr/lib/x86_64-linux-gnu"
PASSWD = file("etc/passwd", b"root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/:/bin/sh\n")
GROUP = file("etc/group", b"root:x:0:\nmedia:x:44:\n")
AWS = "AKIA" + "IOSFODNN7EXAMPLE"
RUN_GATES = {"starts", "health", "ready", "healthy", "running-user", "writes", "log", "stops"}


def config(**changes: Any) -> dict[str, Any]:
    return {**CONFIG, **changes}


def test_gates_have_ids_of_their_own() -> None:
    assert len({gate.id for gate in GATES}) == len(GATES)


def test_a_sound_service_passes_all_that_needs_no_container(tmp_path: Path) -> None:
    judged = judge(subject_of(contents_of(tmp_path, [SERVE])))
    results = {item.gate.id: item.verdict.result for item in judged}
    assert {gate for gate, result in results.items() if result is Result.NOT_CHECKED} == RUN_GATES
    assert Result.FAILED not in results.values()


@pytest.mark.parametrize(
    ("user", "ids"),
    [
        ("1000", (1000, 1001)),
        ("1000:5", (1000, 5)),
        ("app", (1000, 1001)),
        ("app:media", (1000, 44)),
        ("4000", (4000, 0)),
    ],
)
def test_users_are_looked_up_as_a_container_does(
    tmp_path: Path, user: str, ids: tuple[int, int]
) -> None:
    subject = subject_of(contents_of(tmp_path, [PASSWD, GROUP]), config=config(User=user))
    verdict = verdict_of("user", subject)
    assert verdict is not None
    assert (verdict.evidence["uid"], verdict.evidence["gid"]) == ids


@pytest.mark.parametrize("user", ["", "0", "root", "root:media", "nobody-of-here"])
def test_a_service_as_root_or_as_a_stranger_fails(tmp_path: Path, user: str) -> None:
    contents = contents_of(tmp_path, [PASSWD, GROUP])
    assert result_of("user", subject_of(contents, config=config(User=user))) is Result.FAILED


def test_a_base_may_leave_the_user_to_what_stands_on_it(tmp_path: Path) -> None:
    base = subject_of(contents_of(tmp_path, [PASSWD]), ImageKind.BASE, config={})
    assert result_of("user", base) is Result.PASSED


@pytest.mark.parametrize(
    ("changes", "result"),
    [
        ({}, Result.PASSED),
        ({"Cmd": ["serve"], "Env": ["PATH=/app:/bin"]}, Result.PASSED),
        ({"Cmd": ["./serve"], "WorkingDir": "/app"}, Result.PASSED),
        ({"Cmd": []}, Result.FAILED),
        ({"Cmd": ["serve"]}, Result.FAILED),
        ({"Cmd": ["/app/data"]}, Result.FAILED),
    ],
)
def test_what_is_started_is_a_program_of_the_image(
    tmp_path: Path, changes: dict[str, Any], result: Result
) -> None:
    contents = contents_of(tmp_path, [SERVE, file("app/data")])
    assert result_of("command", subject_of(contents, config=config(**changes))) is result


@pytest.mark.parametrize(
    ("test", "result"),
    [
        (["CMD", "/app/serve"], Result.PASSED),
        (["CMD-SHELL", "curl x"], Result.PASSED),
        (["CMD", "/usr/bin/curl", "x"], Result.FAILED),
        (["NONE"], Result.NOT_CHECKED),
        ([], Result.NOT_CHECKED),
    ],
)
def test_a_healthcheck_runs_a_program_of_the_image(
    tmp_path: Path, test: list[str], result: Result
) -> None:
    changed = config(Healthcheck={"Test": test})
    subject = subject_of(contents_of(tmp_path, [SERVE]), config=changed)
    assert result_of("healthcheck", subject) is result


@pytest.mark.parametrize(
    "changes",
    [
        {"Env": [f"X={AWS}"]},
        {"Env": ["DB_PASSWORD=correcthorse"]},
        {"Labels": {"note": AWS}},
    ],
)
def test_a_secret_in_the_configuration_fails_and_is_not_repeated(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    subject = subject_of(contents_of(tmp_path, [SERVE]), config=config(**changes))
    verdict = verdict_of("secrets", subject)
    assert verdict is not None
    assert verdict.result is Result.FAILED
    assert "IOSFODNN" not in repr(verdict)
    assert "correcthorse" not in repr(verdict)


def test_a_secret_in_a_file_fails_with_its_line(tmp_path: Path) -> None:
    settings = file("app/settings.py", f"A = 1\nKEY = '{AWS}'\n".encode())
    verdict = verdict_of("secrets", subject_of(contents_of(tmp_path, [settings])))
    assert verdict is not None
    assert verdict.says == "look like secrets: /app/settings.py:2: AWS access key AKIA****"


def test_a_variable_that_names_a_file_is_no_secret(tmp_path: Path) -> None:
    changed = config(Env=["DB_PASSWORD_FILE=/run/secrets/db", "API_TOKEN="])
    subject = subject_of(contents_of(tmp_path, [SERVE]), config=changed)
    assert result_of("secrets", subject) is Result.PASSED


def test_a_library_that_is_nowhere_fails_and_is_named(tmp_path: Path) -> None:
    user = file("app/x.so", make_elf(needed=["libsndfile.so.1"]))
    verdict = verdict_of("libraries", subject_of(contents_of(tmp_path, [user])))
    assert verdict is not None
    assert verdict.result is Result.FAILED
    assert "/app/x.so needs libsndfile.so.1" in verdict.says


@pytest.mark.parametrize("place", [LIB, "usr/lib", "usr/local/lib", "opt/lib"])
def test_a_library_is_found_where_the_linker_looks(tmp_path: Path, place: str) -> None:
    members = [
        file("app/x.so", make_elf(needed=["libsndfile.so.1"])),
        file(f"{place}/libsndfile.so.1.0", make_elf(soname="libsndfile.so.1")),
        link(f"{place}/libsndfile.so.1", "libsndfile.so.1.0"),
        file("etc/ld.so.conf.d/opt.conf", b"/opt/lib\n"),
        file("etc/ld.so.conf", b"include /etc/ld.so.conf.d/*.conf\n"),
    ]
    assert result_of("libraries", subject_of(contents_of(tmp_path, members))) is Result.PASSED


def test_a_library_that_a_recipe_does_without_may_be_missing(tmp_path: Path) -> None:
    user = file("app/x.so", make_elf(needed=["libsndfile.so.1"]))
    subject = subject_of(contents_of(tmp_path, [user]), optional_libraries=("libsndfile.so.*",))
    assert result_of("libraries", subject) is Result.PASSED


def test_setuid_files_are_those_of_debian_packages_alone(tmp_path: Path) -> None:
    su, listed = (
        file("usr/bin/su", b"x", 0o4755),
        file("var/lib/dpkg/info/x.list", b"/usr/bin/su\n"),
    )
    own = file("app/tool", b"x", 0o2755)
    assert result_of("setuid", subject_of(contents_of(tmp_path, [su, listed]))) is Result.PASSED
    assert result_of("setuid", subject_of(contents_of(tmp_path, [su]))) is Result.FAILED
    assert result_of("setuid", subject_of(contents_of(tmp_path, [own]))) is Result.FAILED


@pytest.mark.parametrize(
    ("member", "result"),
    [
        (file("app/x", b"", 0o666), Result.FAILED),
        (folder("app/data", 0o777), Result.FAILED),
        (folder("var/tmp", 0o1777), Result.PASSED),
        (file("tmp/x", b"", 0o666), Result.PASSED),
        (link("app/x", "y"), Result.PASSED),
        (file("app/x", b"", 0o664), Result.PASSED),
    ],
)
def test_nobody_else_may_write_outside_of_tmp(
    tmp_path: Path, member: tuple[tarfile.TarInfo, bytes], result: Result
) -> None:
    assert result_of("world-writable", subject_of(contents_of(tmp_path, [member]))) is result


def test_device_nodes_fail(tmp_path: Path) -> None:
    contents = contents_of(tmp_path, [special("dev/sda", tarfile.BLKTYPE)])
    assert result_of("devices", subject_of(contents)) is Result.FAILED


@pytest.mark.parametrize(
    ("path", "result"),
    [
        ("usr/bin/gcc", Result.FAILED),
        ("usr/bin/x86_64-linux-gnu-gcc-12", Result.FAILED),
        ("usr/lib/gcc/x86_64-linux-gnu/12/cc1", Result.FAILED),
        ("var/cache/apt/archives/x.deb", Result.FAILED),
        ("root/.cache/pip/http/0/1", Result.FAILED),
        ("usr/bin/gccgo-doc.txt", Result.PASSED),
        ("usr/share/doc/gcc", Result.PASSED),
        ("var/lib/apt/lists/lock", Result.PASSED),
    ],
)
def test_compilers_and_caches_are_left_behind(tmp_path: Path, path: str, result: Result) -> None:
    contents = contents_of(tmp_path, [file(path, b"x")])
    assert result_of("leftovers", subject_of(contents)) is result
    assert result_of("leftovers", subject_of(contents, ImageKind.BASE)) is Result.PASSED


def test_a_forgotten_file_makes_an_image_too_big_and_is_named(tmp_path: Path) -> None:
    contents = contents_of(tmp_path, [SERVE, file("app/dump.sql", bytes(3_000_000))])
    verdict = verdict_of("max-size", subject_of(contents, gates=Gates(max_size_bytes=2_000_000)))
    assert verdict is not None
    assert verdict.result is Result.FAILED
    assert "/app/dump.sql 3.0 MB" in verdict.says
    assert verdict.evidence["unpacked_bytes"] == 3_000_001
    assert verdict.limits == {"max_size_bytes": 2_000_000}


def test_an_image_may_be_as_big_as_its_limit(tmp_path: Path) -> None:
    contents = contents_of(tmp_path, [file("x", bytes(1000))])
    gates = Gates(max_size_bytes=1000)
    assert result_of("max-size", subject_of(contents, gates=gates)) is Result.PASSED


def test_what_a_layer_above_hides_counts(tmp_path: Path) -> None:
    contents = contents_of(tmp_path, [file("x", bytes(1000))], [file(".wh.x")])
    gates = Gates(max_size_bytes=999)
    assert result_of("max-size", subject_of(contents, gates=gates)) is Result.FAILED


@pytest.mark.parametrize(
    ("before", "result"), [(800, Result.FAILED), (910, Result.PASSED), (2000, Result.PASSED)]
)
def test_growth_is_held_against_what_passed_last(
    tmp_path: Path, before: int, result: Result
) -> None:
    subject = subject_of(
        contents_of(tmp_path, [file("x", bytes(1000))]),
        gates=Gates(max_growth_percent=10.0),
        former=Former("sha256:before", before),
    )
    assert result_of("max-growth", subject) is result


def test_growth_without_anything_to_compare_with_is_not_checked(tmp_path: Path) -> None:
    subject = subject_of(contents_of(tmp_path, [SERVE]), gates=Gates(max_growth_percent=10.0))
    assert result_of("max-growth", subject) is Result.NOT_CHECKED
    assert result_of("max-growth", replace(subject_of(subject.contents))) is Result.PASSED


def test_limits_of_a_dockerfiles_image_stand_in_the_settings(tmp_path: Path) -> None:
    settings = '[image.api.gates]\nmax-size = "1 MB"\nread-only = false\n'
    write_tree(tmp_path, {"orch.toml": settings, "services/api/Dockerfile": "FROM scratch\n"})
    image = read_workspace(tmp_path).images["api"]
    assert image.recipe.gates == Gates(max_size_bytes=1_000_000, read_only=False)
