"""Verbs over workspaces with Dockerfiles: plan, build, explain, affected, lock, --since."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from orchestrator.app.explaining import affected
from orchestrator.app.opened import open_workspace
from orchestrator.fingerprint import Fingerprint
from orchestrator.plan import Action, Recorded, plan_builds
from orchestrator.report.text import explain_lines
from orchestrator.state import State
from tests.dockerfiles import prints_of
from tests.helpers import AMD64, write_lock, write_tree
from tests.verbs import exit_code

NOWHERE = "unix:///nowhere/docker.sock"
WHY = (
    f"no Docker engine answers at {NOWHERE}: No such file or directory; "
    "start Docker, or set DOCKER_HOST or a docker context"
)
TREE = {
    "orch.toml": "[debian]\nessential = []\n",
    "base/core/image.toml": 'from = "debian:bookworm"\n',
    "base/web/Dockerfile": "FROM core\nCOPY conf /conf\n",
    "base/web/conf/web.conf": "web",
    "services/api/Dockerfile": "FROM web\nCOPY app /app\n",
    "services/api/app/main.py": "main",
    "services/api/README.md": "read me",
    "services/job/image.toml": 'from = "web"\n',
}


@pytest.fixture
def ws(tmp_path: Path) -> Path:
    root = write_tree(tmp_path / "ws", TREE)
    write_lock(root)
    return root


@pytest.fixture(autouse=True)
def bare(orch_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a cache of its own and no Docker."""
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)


def run(ws: Path, *words: str) -> int:
    return exit_code("-C", ws, *words)


def test_a_dockerfile_s_image_is_not_in_the_lock(ws: Path) -> None:
    text = (ws / "orch.lock").read_text()
    assert ("core" in text, "job" in text) == (True, True)
    assert "[image.web." not in text
    assert "[image.api." not in text


def test_dockerfile_images_and_what_stands_on_them_are_unavailable(
    ws: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(ws, "plan", "--format", "json") == 0
    images = {image["name"]: image for image in json.loads(capsys.readouterr().out)["images"]}
    assert {name: image["action"] for name, image in images.items()} == {
        "core": "build",
        "web": "unavailable",
        "api": "unavailable",
        "job": "unavailable",
    }
    assert images["web"]["unavailable"] == WHY
    assert images["job"]["unavailable"] == "it stands on web, which is unavailable"
    assert [reason["code"] for reason in images["web"]["reasons"]] == ["never-built"]


def test_a_plan_and_an_explanation_of_what_is_unavailable_say_what_changed(
    ws: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = State(open_workspace(ws).paths.database)
    for name, fingerprint in prints_of(ws).items():
        state.write(name, AMD64.key, fingerprint, "sha256:x", 1.0)
    write_tree(ws, {"services/api/app/main.py": "MAIN"})
    assert run(ws, "plan", "api") == 0
    shown = capsys.readouterr().out
    assert f"api  unavailable: {WHY}; out of date: file-changed app/main.py" in shown
    assert run(ws, "explain", "api") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"api is unavailable: {WHY}"
    assert lines[1].startswith("  ~ file-changed app/main.py  ")
    assert run(ws, "plan", "api", "--format", "json") == 0
    (image,) = [i for i in json.loads(capsys.readouterr().out)["images"] if i["name"] == "api"]
    assert [reason["code"] for reason in image["reasons"]] == ["file-changed"]


def test_a_build_of_everything_warns_and_one_of_a_named_image_says_3(
    ws: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(ws, "build") == 0
    assert f"unavailable web: {WHY}" in capsys.readouterr().err
    assert run(ws, "build", "api") == 3


def test_a_workspace_of_dockerfiles_alone_needs_no_lock(tmp_path: Path) -> None:
    write_tree(tmp_path, {"orch.toml": "", "base/a/Dockerfile": "FROM debian:12\n"})
    assert run(tmp_path, "plan") == 0
    assert run(tmp_path, "explain", "a") == 0
    assert run(tmp_path, "lock", "--check") == 0


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("services/api/app/main.py", ("api",)),
        ("services/api/app/gone.py", ("api",)),
        ("services/api/README.md", ()),
        ("services/api/Dockerfile", ("api",)),
        ("services/api/.dockerignore", ("api",)),
        ("base/web/conf", ("web", "api", "job")),
        ("base/core/image.toml", ("core", "web", "api", "job")),
    ],
)
def test_files_reach_what_copies_them_and_what_stands_on_it(
    ws: Path, path: str, names: tuple[str, ...]
) -> None:
    assert set(affected(open_workspace(ws), [ws / path], pytest.fail)) == set(names)


def test_a_plan_tells_each_change_of_a_dockerfile_s_image_and_explains_it(ws: Path) -> None:
    graph = open_workspace(ws).graph
    before = prints_of(ws)
    write_tree(ws, {"services/api/app/main.py": "MAIN", "services/api/app/new.py": "new"})
    (ws / "base/web/conf/web.conf").chmod(0o755)
    recorded = {name: Recorded(fingerprint, "sha256:x") for name, fingerprint in before.items()}
    steps = plan_builds(graph, AMD64, prints_of(ws), recorded).steps
    assert [(reason.code, reason.subject) for reason in steps["api"].reasons] == [
        ("file-changed", "app/main.py"),
        ("file-added", "app/new.py"),
        ("parent-changed", "web"),
    ]
    assert steps["core"].action is Action.REUSE
    lines = explain_lines([steps[name] for name in ("api", "web", "core")])
    assert "  ~ mode-changed conf/web.conf  644 -> 755" in lines
    assert not any("core" in line for line in lines)


def test_an_image_explains_all_its_parents_not_only_the_first_chain(ws: Path) -> None:
    write_tree(ws, {"services/two/Dockerfile": "FROM web\nCOPY --from=tools /x /x\n"})
    write_tree(ws, {"base/tools/Dockerfile": "FROM debian:12\n"})
    graph = open_workspace(ws).graph
    now = prints_of(ws)
    old = {**now, "tools": Fingerprint.of([])}
    recorded = {name: Recorded(fingerprint, "sha256:x") for name, fingerprint in old.items()}
    steps = plan_builds(graph, AMD64, now, recorded).steps
    lines = explain_lines([steps[name] for name in ("two", "web", "core", "tools")])
    assert "tools would be built" in lines


def test_since_selects_the_dockerfile_images_that_differ(
    ws: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git = ["git", "-C", str(ws), "-c", "user.name=a", "-c", "user.email=a@example.com"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *words], check=True)
    write_tree(ws, {"services/api/app/main.py": "MAIN", "services/api/README.md": "other"})
    write_tree(ws, {"base/web/README.md": "new"})
    assert run(ws, "plan", "--since", "HEAD", "--format", "json") == 0
    images = json.loads(capsys.readouterr().out)["images"]
    assert [image["name"] for image in images] == ["core", "web", "api"]


def test_debian_packages_above_a_dockerfile_are_refused_with_the_ways_out(
    ws: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tree(ws, {"services/job/image.toml": 'from = "web"\n[system]\npackages = ["curl"]\n'})
    for verb in ("lock", "plan"):
        assert run(ws, verb) == 2
        said = capsys.readouterr().err
        assert "job/image.toml:1: job has [system] packages, and stands on web, which a" in said
        assert "install them in the Dockerfile of web" in said
