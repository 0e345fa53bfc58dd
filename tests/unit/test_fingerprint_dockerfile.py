"""Fingerprints of images that Dockerfiles define: what moves them, and what does not."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from orchestrator.fingerprint import Fingerprint
from orchestrator.plan import compare_inputs
from tests.dockerfiles import prints_of
from tests.helpers import ARM64, write_tree

A, B = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
TREE = {
    "orch.toml": "",
    "base/core/Dockerfile": "FROM debian:12\nCOPY etc /etc\n",
    "base/core/etc/motd": "hello",
    "base/web/Dockerfile": "FROM core\nCOPY web.conf /\n",
    "base/web/web.conf": "web",
    "base/tools/Dockerfile": "FROM debian:12\nCOPY tool /\n",
    "base/tools/tool": "tool",
    "services/api/Dockerfile": (
        "ARG V=1\nFROM debian:12 AS build\nCOPY requirements.txt /\n"
        "FROM web\nARG V\nCOPY --from=tools /tool /\nCOPY app /app\n"
    ),
    "services/api/requirements.txt": "flask",
    "services/api/app/main.py": "main",
    "services/api/app/lib/x.py": "x",
    "services/api/README.md": "read me",
}
API = "services/api"


@pytest.fixture
def ws(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "ws", TREE)


def changed(root: Path, before: dict[str, Fingerprint]) -> list[str]:
    """Return the images whose fingerprint is another than before."""
    now = prints_of(root)
    return [name for name in now if name not in before or now[name].digest != before[name].digest]


def edit(root: Path, path: str, text: str) -> list[str]:
    """Write a file and return the images that this changes."""
    before = dict(prints_of(root))
    write_tree(root, {path: text})
    return changed(root, before)


def test_an_edited_file_changes_the_fingerprint(ws: Path) -> None:
    assert edit(ws, f"{API}/app/main.py", "MAIN") == ["api"]


def test_a_file_that_no_instruction_reaches_is_no_input(ws: Path) -> None:
    assert edit(ws, f"{API}/README.md", "other") == []


def test_a_file_of_a_stage_that_the_target_does_not_need_is_no_input(ws: Path) -> None:
    assert edit(ws, f"{API}/requirements.txt", "flask>=3") == []


def test_a_change_two_tiers_up_reaches_every_descendant(ws: Path) -> None:
    assert edit(ws, "base/core/etc/motd", "bye") == ["core", "web", "api"]


def test_a_change_reaches_an_image_that_only_copies_from_it(ws: Path) -> None:
    assert edit(ws, "base/tools/tool", "TOOL") == ["tools", "api"]


def test_chmod_x_changes_the_fingerprint_and_other_modes_do_not(ws: Path) -> None:
    before, file = dict(prints_of(ws)), ws / f"{API}/app/main.py"
    file.chmod(0o600)
    assert changed(ws, before) == []
    file.chmod(0o700)
    assert changed(ws, before) == ["api"]


def test_touching_a_file_changes_nothing(ws: Path) -> None:
    before = dict(prints_of(ws))
    for file in ws.rglob("*"):
        os.utime(file, (1, 1))
    assert changed(ws, before) == []


def test_an_edit_of_the_same_size_within_a_clock_tick_is_seen(ws: Path) -> None:
    file = ws / f"{API}/app/main.py"
    before, status = dict(prints_of(ws)), file.stat()
    file.write_text("niam")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert changed(ws, before) == ["api"]


def test_a_retargeted_link_is_a_change(ws: Path) -> None:
    link = ws / f"{API}/app/link"
    link.symlink_to("main.py")
    before = dict(prints_of(ws))
    link.unlink()
    link.symlink_to("lib/x.py")
    assert changed(ws, before) == ["api"]


def test_a_file_moved_between_folders_with_equal_bytes_is_a_change(ws: Path) -> None:
    before = dict(prints_of(ws))
    (ws / f"{API}/app/lib/x.py").rename(ws / f"{API}/app/x.py")
    assert changed(ws, before) == ["api"]


def test_a_deleted_file_is_a_change(ws: Path) -> None:
    before = dict(prints_of(ws))
    (ws / f"{API}/app/lib/x.py").unlink()
    assert changed(ws, before) == ["api"]


def test_an_ignore_file_that_selects_the_same_is_no_change(ws: Path) -> None:
    dockerfile = "FROM scratch\nCOPY . /\n"
    write_tree(ws, {f"{API}/Dockerfile": dockerfile, f"{API}/.dockerignore": "README.md\n"})
    ignore = f"{API}/.dockerignore"
    assert edit(ws, ignore, "# a comment\n/README.md/\nnothing-here\n") == []
    assert edit(ws, ignore, "README.md\napp/lib\n") == ["api"]


def test_a_dockerfile_s_own_ignore_file_that_selects_the_same_is_no_change(ws: Path) -> None:
    write_tree(ws, {f"{API}/Dockerfile": "FROM scratch\nCOPY . /\n"})
    ignore = f"{API}/Dockerfile.dockerignore"
    assert edit(ws, ignore, "nothing-here\n") == []
    assert edit(ws, ignore, "**/lib\n") == ["api"]


def test_git_s_ignore_rules_are_none_of_a_build_s(ws: Path) -> None:
    write_tree(ws, {f"{API}/app/.gitignore": "*.log\n"})
    assert edit(ws, f"{API}/app/x.log", "untracked, and copied all the same") == ["api"]


def test_edits_inside_a_submodule_count(ws: Path) -> None:
    write_tree(ws, {f"{API}/app/sub/.git": "gitdir: ../elsewhere", f"{API}/app/sub/x": "1"})
    assert edit(ws, f"{API}/app/sub/x", "2") == ["api"]


def test_a_dockerfile_outside_the_context_counts(ws: Path) -> None:
    write_tree(ws, {"docker/job.Dockerfile": "FROM core\n", "jobs/x": ""})
    settings = '[image.job]\npath = "jobs"\ndockerfile = "../docker/job.Dockerfile"\n'
    write_tree(ws, {"orch.toml": settings})
    assert edit(ws, "docker/job.Dockerfile", "FROM core\nRUN true\n") == ["job"]


@pytest.mark.parametrize(
    "line", ['build-args = {V = "2"}', 'build-args = {W = "1"}', 'target = "build"']
)
def test_each_build_arg_and_the_target_count(ws: Path, line: str) -> None:
    assert edit(ws, "orch.toml", f"[image.api]\n{line}\n") == ["api"]


def test_the_platform_counts(ws: Path) -> None:
    assert prints_of(ws)["api"].digest != prints_of(ws, ARM64)["api"].digest


def test_env_of_a_dockerfile_counts(ws: Path) -> None:
    assert edit(ws, "base/tools/Dockerfile", TREE["base/tools/Dockerfile"] + "ENV X=1\n") == [
        "tools",
        "api",
    ]


def test_a_secret_is_no_input(ws: Path) -> None:
    mount = "FROM core\nRUN --mount=type=secret,id=token,src=token.txt cat /run/secrets/token\n"
    write_tree(ws, {f"{API}/Dockerfile": mount, f"{API}/token.txt": "hunter2"})
    assert edit(ws, f"{API}/token.txt", "hunter3") == []
    assert not any("hunter" in item.value for item in prints_of(ws)["api"].inputs)


def test_an_arg_default_in_from_is_resolved_before_hashing(ws: Path) -> None:
    write_tree(ws, {f"{API}/Dockerfile": "ARG BASE=web\nFROM ${BASE}:latest\n"})
    assert ("parent", "web") in [item[:2] for item in prints_of(ws)["api"].inputs]
    assert edit(ws, "base/web/web.conf", "other") == ["web", "api"]


def test_an_external_base_is_its_digest(ws: Path) -> None:
    write_tree(ws, {f"{API}/Dockerfile": f"FROM debian:12@{A}\n"})
    before = prints_of(ws)["api"]
    write_tree(ws, {f"{API}/Dockerfile": f"FROM debian:12@{B}\n"})
    codes = {reason.code for reason in compare_inputs(before.inputs, prints_of(ws)["api"].inputs)}
    assert codes == {"external-changed", "file-changed"}


def test_a_sibling_pinned_by_digest_is_external(ws: Path) -> None:
    write_tree(ws, {f"{API}/Dockerfile": f"FROM web@{A}\n"})
    assert edit(ws, "base/web/web.conf", "other") == ["web"]


def test_two_images_over_one_folder_each_see_what_they_use(ws: Path) -> None:
    dockerfile = "FROM core AS one\nCOPY one /\nFROM core AS two\nCOPY two /\n"
    tables = (f'[image.{name}]\npath = "both"\ntarget = "{name}"\n' for name in ("one", "two"))
    files = {"both/Dockerfile": dockerfile, "both/one": "1", "both/two": "2"}
    write_tree(ws, {**files, "orch.toml": "".join(tables)})
    assert edit(ws, "both/one", "other") == ["one"]


def test_the_checkout_s_path_does_not_count(ws: Path, tmp_path: Path) -> None:
    before = dict(prints_of(ws))
    shutil.copytree(ws, tmp_path / "elsewhere", symlinks=True)
    assert changed(tmp_path / "elsewhere", before) == []


def test_locale_time_zone_and_user_do_not_count(ws: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = dict(prints_of(ws))
    names = {"LC_ALL": "tr_TR.UTF-8", "TZ": "Asia/Tokyo", "USER": "other", "HOSTNAME": "other"}
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    assert changed(ws, before) == []


def test_what_a_base_leaves_to_its_children_may_copy_anything(ws: Path) -> None:
    assert edit(ws, f"{API}/README.md", "1") == []
    write_tree(ws, {"base/core/Dockerfile": "FROM debian:12\nONBUILD COPY . /src\n"})
    assert edit(ws, f"{API}/README.md", "2") == ["api"]


def test_a_source_that_is_not_known_beforehand_makes_all_of_the_context_count(ws: Path) -> None:
    write_tree(ws, {f"{API}/Dockerfile": "FROM core\nCOPY $WHAT /\n"})
    assert edit(ws, f"{API}/README.md", "other") == ["api"]


def test_a_changed_build_arg_is_told_by_digests_of_both_values(ws: Path) -> None:
    write_tree(ws, {"orch.toml": '[image.api]\nbuild-args = {V = "1"}\n'})
    before = prints_of(ws)["api"]
    write_tree(ws, {"orch.toml": '[image.api]\nbuild-args = {V = "2"}\n'})
    (reason,) = compare_inputs(before.inputs, prints_of(ws)["api"].inputs)
    assert (reason.code, reason.subject) == ("argument-changed", "V")
    assert re.fullmatch(r"[0-9a-f]{16} -> [0-9a-f]{16}", reason.detail)
