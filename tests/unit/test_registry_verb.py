"""`orch push` as a user types it, against a registry in this process."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator import logs
from tests.helpers import ROOT, write_lock, write_tree, write_workspace
from tests.registries import PASSWORD, TOKEN, USER, TinyRegistry, interrupt_at
from tests.verbs import Orch, Ran, forget_credentials, run_orch

FILES = "[[files]]\nfrom = 'src'\nto = '/app'\n"


@pytest.fixture
def tiny() -> Iterator[TinyRegistry]:
    with TinyRegistry().running() as tiny:
        yield tiny


@pytest.fixture
def ws(tmp_path: Path, orch_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a locked workspace whose images are files alone, in a home without credentials."""
    forget_credentials(monkeypatch, tmp_path / "home")
    root = write_workspace(
        tmp_path / "ws",
        {
            "base/a": f'from = "{ROOT}"\n{FILES}',
            "services/s": f'from = "a"\n{FILES}',
            "services/t": f'from = "a"\n{FILES}',
        },
    )
    for folder in ("base/a", "services/s", "services/t"):
        write_tree(root, {f"{folder}/src/x.txt": folder})
    settings = root / "orch.toml"
    platforms = 'platforms = ["linux/amd64", "linux/arm64"]\n'
    settings.write_text(platforms + settings.read_text())
    write_lock(root)
    return root


@pytest.fixture
def orch(ws: Path, tiny: TinyRegistry, capsys: pytest.CaptureFixture[str]) -> Orch:
    """Return `orch -C WORKSPACE ...` as a function; `push` goes to the registry."""

    def run(*arguments: str) -> Ran:
        more = ["--registry", f"{tiny.address}/team"] if arguments[0] == "push" else []
        return run_orch(capsys, "-C", ws, *arguments, *more)

    return run


def build(orch: Orch, *arguments: str) -> None:
    assert orch("build", "--platform", "linux/amd64", *arguments).code == 0


def digests(ran: Ran) -> dict[str, str]:
    return {image["name"]: image["digest"] for image in ran.data["images"]}


def tags(tiny: TinyRegistry, name: str) -> set[str]:
    return {tag for place, tag in tiny.tags if place == f"team/{name}"}


def test_the_lines_on_standard_output_are_references(orch: Orch, tiny: TinyRegistry) -> None:
    build(orch)
    ran = orch("push")
    assert ran.code == 0
    shown = [line.rpartition("@") for line in ran.out.splitlines()]
    assert [name for name, _, _ in shown] == [f"{tiny.address}/team/{name}" for name in "ast"]
    for name, _, digest in shown:
        place = name.removeprefix(f"{tiny.address}/")
        assert tiny.tags[place, "latest"] == digest
    assert "3 pushed" in ran.err


def test_pushing_again_uploads_nothing(orch: Orch, tiny: TinyRegistry) -> None:
    build(orch)
    orch("push")
    tiny.asked.clear()
    ran = orch("push", "--format", "json")
    assert {image["status"] for image in ran.data["images"]} == {"unchanged"}
    assert {line.partition(" ")[0] for line in tiny.asked} == {"HEAD"}
    assert len(tiny.asked) == 6, "a tag and the content's tag of three images"


def test_what_is_not_up_to_date_is_refused_and_nothing_is_sent(
    orch: Orch, ws: Path, tiny: TinyRegistry
) -> None:
    build(orch)
    write_tree(ws, {"services/s/src/x.txt": "changed"})
    ran = orch("push")
    assert ran.code == 2
    assert "s (linux/amd64: file-changed" in ran.err
    assert "hint: run: orch build" in ran.err
    assert not tiny.asked


def test_an_image_that_is_up_to_date_is_pushed_though_others_are_not(
    orch: Orch, ws: Path, tiny: TinyRegistry
) -> None:
    build(orch)
    write_tree(ws, {"services/s/src/x.txt": "changed"})
    assert orch("push", "t").code == 0
    assert tags(tiny, "t") >= {"latest"}
    assert not tags(tiny, "s")


def test_the_report_tells_what_went_how(orch: Orch, ws: Path, tiny: TinyRegistry) -> None:
    build(orch)
    orch("push", "a")
    file = ws.parent / "report.json"
    orch("push", "s", "--no-attest", "--report", str(file))
    report = json.loads(file.read_text())
    (image,) = report["images"]
    assert report["schema"] == "orch.push/1"
    assert report["ok"] is True
    assert image["status"] == "pushed"
    assert image["reference"] == f"{tiny.address}/team/s@{image['digest']}"
    assert image["blobs"]["mounted"]["count"] == 1, "the layer of what it stands on"
    assert image["blobs"]["uploaded"]["count"] == 2, "its own layer and its config"
    assert image["platforms"][0]["fingerprint"][:32] in image["tags"][0]["tag"]
    uploaded = sum(len(data) for (place, _), data in tiny.blobs.items() if place == "team/s")
    mounted = image["blobs"]["mounted"]["bytes"]
    assert image["blobs"]["uploaded"]["bytes"] + mounted == uploaded


def test_a_push_that_is_interrupted_reports_what_was_sent_and_what_was_not(
    orch: Orch, ws: Path, tiny: TinyRegistry
) -> None:
    build(orch)
    tiny.faults = [interrupt_at("PUT", "/manifests/")] * 1000
    report = ws.parent / "report.json"
    ran = orch("push", "--jobs", "1", "--report", str(report))
    assert ran.code == 130
    assert "the push was given up" in ran.err
    assert "interrupted" in ran.err
    document = json.loads(report.read_text())
    assert document["ok"] is False
    assert {image["status"] for image in document["images"]} == {"cancelled"}
    sent = sum(image["blobs"]["uploaded"]["bytes"] for image in document["images"])
    assert sent == sum({digest: len(data) for (_, digest), data in tiny.blobs.items()}.values())
    assert tiny.tags == {}


def history_of_pushes(orch: Orch) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = orch("history", "--kind", "push", "--format", "json").data["runs"]
    return runs


def test_what_came_of_each_image_of_a_push_is_logged(orch: Orch, tiny: TinyRegistry) -> None:
    build(orch)
    with logs.keeping() as kept:
        pushed = orch("push", "--format", "json")
    events = {event.fields["image"]: event for event in kept if event.name == "image.pushed"}
    assert {name: event.fields["digest"] for name, event in events.items()} == digests(pushed)
    assert {event.fields["status"] for event in events.values()} == {"pushed"}


def test_pushes_are_remembered_with_what_need_not_be_sent(orch: Orch, tiny: TinyRegistry) -> None:
    build(orch)
    assert orch("push", "--dry-run").code == 0
    pushed = orch("push", "--format", "json")
    sent = sum(image["blobs"]["uploaded"]["bytes"] for image in pushed.data["images"])
    assert orch("push").code == 0
    again, first = history_of_pushes(orch)
    assert (first["result"], first["hit_rate"], first["saved_bytes"]) == ("done", 0.0, 0)
    assert (again["result"], again["hit_rate"], again["saved_bytes"]) == ("unchanged", 1.0, sent)
    assert {image["name"]: image["digest"] for image in first["images"]} == digests(pushed)


def test_a_push_that_was_cut_short_is_remembered_as_that(orch: Orch, tiny: TinyRegistry) -> None:
    build(orch)
    tiny.faults = [interrupt_at("PUT", "/manifests/")] * 1000
    assert orch("push", "--jobs", "1").code == 130
    (run,) = history_of_pushes(orch)
    assert run["result"] == "interrupted"
    assert {image["status"] for image in run["images"]} == {"cancelled"}


def test_a_build_and_its_push_are_remembered_by_one_id(
    orch: Orch, ws: Path, tiny: TinyRegistry
) -> None:
    settings = ws / "orch.toml"
    settings.write_text(f'registry = "{tiny.address}/team"\n{settings.read_text()}')
    build(orch, "--push")
    pushed, built = orch("history", "--format", "json").data["runs"]
    assert [pushed["kind"], built["kind"]] == ["push", "build"]
    assert pushed["run"] == built["run"]


def test_tags_of_the_command_line_replace_those_of_the_settings(
    orch: Orch, tiny: TinyRegistry
) -> None:
    build(orch)
    orch("push", "a", "--tag", "v1", "--tag", "x-{fingerprint}")
    found = tags(tiny, "a")
    assert "v1" in found
    assert "latest" not in found
    assert {len(tag) for tag in found if tag.startswith("x-")} == {66}


def test_a_tag_that_is_none_is_refused(orch: Orch, tiny: TinyRegistry) -> None:
    build(orch)
    ran = orch("push", "--tag", "{verison}")
    assert ran.code == 2
    assert "{verison}" in ran.err
    assert not tiny.asked


def git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_commit_is_in_the_tag_and_says_when_files_differ_from_it(
    orch: Orch, ws: Path, tiny: TinyRegistry
) -> None:
    (ws / ".gitignore").write_text(".orch/\n")
    git(ws, "init", "-q")
    git(ws, "add", "-A")
    git(ws, "commit", "-qm", "first")
    git(ws, "tag", "v1.0")
    commit = git(ws, "rev-parse", "HEAD")[:12]
    build(orch)
    assert "differ" not in orch("push", "a", "--tag", "c-{commit}", "--tag", "{version}").err
    assert tags(tiny, "a") >= {f"c-{commit}", "v1.0"}
    (ws / "untracked").write_text("x")
    ran = orch("push", "a", "--tag", "c-{commit}", "--tag", "{version}")
    assert "differ from the commit" in ran.err
    assert tags(tiny, "a") >= {f"c-{commit}-dirty", "v1.0-dirty"}


@pytest.mark.parametrize("template", ["{commit}", "{version}"])
def test_a_commit_that_is_not_there_is_an_error(
    orch: Orch, tiny: TinyRegistry, template: str
) -> None:
    build(orch)
    ran = orch("push", "--tag", template)
    assert ran.code == 2
    assert template in ran.err
    assert not tiny.asked


def test_a_dry_run_sends_nothing(orch: Orch, tiny: TinyRegistry) -> None:
    build(orch)
    ran = orch("push", "--dry-run", "--format", "json")
    assert ran.data["dry_run"] is True
    assert {image["reference"] for image in ran.data["images"]} == {""}
    assert {image["status"] for image in ran.data["images"]} == {"planned"}
    assert not tiny.blobs
    assert {line.partition(" ")[0] for line in tiny.asked} == {"HEAD"}


def test_changed_keeps_what_the_registry_lacks(orch: Orch, tiny: TinyRegistry) -> None:
    build(orch)
    orch("push", "a")
    assert set(digests(orch("push", "--changed", "--format", "json"))) == {"s", "t"}


def test_several_platforms_become_an_index(orch: Orch, tiny: TinyRegistry) -> None:
    build(orch)
    single = digests(orch("push", "--format", "json"))
    assert orch("build", "--platform", "linux/arm64").code == 0
    ran = orch("push", "--format", "json")
    for image in ran.data["images"]:
        assert image["digest"] != single[image["name"]]
        platforms = {item["platform"]: item["digest"] for item in image["platforms"]}
        assert platforms["linux/amd64"] == single[image["name"]]
        media_type, data = tiny.manifests[f"team/{image['name']}", image["digest"]]
        assert media_type.endswith("index.v1+json")
        named = {item["digest"] for item in json.loads(data)["manifests"]}
        assert named == set(platforms.values())


def test_a_platform_that_is_behind_is_named(orch: Orch, ws: Path) -> None:
    build(orch)
    orch("build", "--platform", "linux/arm64")
    write_tree(ws, {"services/s/src/x.txt": "changed"})
    build(orch)
    ran = orch("push")
    assert ran.code == 2
    assert "linux/arm64" in ran.err
    assert "linux/amd64" not in ran.err


def test_promoting_retags(orch: Orch, tiny: TinyRegistry) -> None:
    build(orch)
    orch("push", "--tag", "staging")
    ran = orch("push", "--promote", "staging", "live", "--format", "json")
    assert ran.code == 0
    for name in "ast":
        assert tiny.tags[f"team/{name}", "live"] == tiny.tags[f"team/{name}", "staging"]
    assert {image["status"] for image in ran.data["images"]} == {"moved"}


@pytest.mark.parametrize("tags", [("staging", "--tag"), ("staging", "../x"), ("a b", "live")])
def test_promoting_to_or_from_what_is_no_tag_is_refused_and_nothing_is_asked(
    orch: Orch, tiny: TinyRegistry, tags: tuple[str, str]
) -> None:
    ran = orch("push", "--promote", *tags)
    assert ran.code == 2
    assert "cannot be a tag" in ran.err
    assert tiny.asked == []


def test_an_image_that_lacks_the_tag_is_a_warning_unless_it_was_named(
    orch: Orch, tiny: TinyRegistry
) -> None:
    build(orch)
    orch("push", "a", "--tag", "staging")
    assert orch("push", "--promote", "staging", "live").code == 0
    ran = orch("push", "s", "--promote", "staging", "live")
    assert ran.code == 1
    assert "team/s has no staging" in ran.err


def test_a_failure_is_in_the_report_and_in_the_exit_code(
    orch: Orch, ws: Path, tiny: TinyRegistry
) -> None:
    tiny.immutable = True
    build(orch)
    orch("push", "--tag", "v1")
    write_tree(ws, {"services/s/src/x.txt": "changed"})
    build(orch)
    file = ws.parent / "report.json"
    ran = orch("push", "--tag", "v1", "--report", str(file))
    assert ran.code == 1
    assert "may not be moved" in ran.err
    images = {image["name"]: image for image in json.loads(file.read_text())["images"]}
    assert images["s"]["status"] == "failed"
    assert "may not be moved" in images["s"]["error"]["message"]
    assert images["a"]["status"] == "unchanged"


def test_without_a_registry_the_error_names_the_settings(
    orch: Orch, ws: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build(orch)
    ran = run_orch(capsys, "-C", ws, "push")
    assert ran.code == 2
    assert "orch.toml: no registry to push to" in ran.err


def test_the_registry_of_the_settings_is_used(
    orch: Orch, ws: Path, tiny: TinyRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ws / "orch.toml"
    settings.write_text(f'registry = "{tiny.address}/own"\ntags = ["t1"]\n' + settings.read_text())
    build(orch)
    assert run_orch(capsys, "-C", ws, "push").code == 0
    assert ("own/a", "t1") in tiny.tags


def test_a_build_that_is_to_push_publishes_what_it_built(
    orch: Orch, ws: Path, tiny: TinyRegistry
) -> None:
    settings = ws / "orch.toml"
    text = settings.read_text()
    settings.write_text(f'registry = "{tiny.address}/team"\n{text}')
    build(orch, "--push", "s")
    assert tags(tiny, "s") >= {"latest"}
    assert not tags(tiny, "t")
    write_tree(ws, {"services/t/src/x.txt": "changed"})
    build(orch, "--push", "--changed")
    assert tags(tiny, "t") >= {"latest"}


def test_a_build_that_is_to_push_asks_where_to_before_it_builds(orch: Orch, ws: Path) -> None:
    ran = orch("build", "--push")
    assert ran.code == 2
    assert "no registry to push to" in ran.err
    assert not (ws / ".orch/layout").exists()


def log_in(home: Path, tiny: TinyRegistry, secret: str) -> None:
    packed = base64.b64encode(f"{USER}:{secret}".encode()).decode()
    file = home / ".docker/config.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"auths": {tiny.address: {"auth": packed}}}))


def everything_written(folder: Path) -> bytes:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return b"\n".join(path.read_bytes() for path in files if ".docker" not in path.parts)


@pytest.mark.parametrize("auth", ["basic", "bearer"])
@pytest.mark.parametrize("secret", [PASSWORD, "wrong-planted-password"])
def test_secrets_are_in_no_output_log_report_or_file(
    orch: Orch, ws: Path, tiny: TinyRegistry, auth: str, secret: str
) -> None:
    tiny.auth = auth
    log_in(ws.parent / "home", tiny, secret)
    build(orch)
    report = str(ws.parent / "report.json")
    runs: list[Any] = [orch("push", "--report", report, "--progress", "json")]
    assert runs[0].code == (0 if secret == PASSWORD else 1)
    runs.append(orch("push", "--dry-run", "--format", "json"))
    said = "".join(ran.out + ran.err for ran in runs).encode() + everything_written(ws.parent)
    packed = base64.b64encode(f"{USER}:{secret}".encode())
    for planted in (secret.encode(), TOKEN.encode(), packed):
        assert planted not in said
