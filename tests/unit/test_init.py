"""`orch init`: what it finds, guesses, leaves open and writes, on layouts that teams have."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.app.checking import check
from orchestrator.app.initialising import initialise
from orchestrator.app.opened import open_workspace
from orchestrator.discovery.proposal import Proposal
from orchestrator.errors import WorkspaceError
from orchestrator.git import lacks_ignore
from orchestrator.report.proposals import proposal_lines
from orchestrator.select import Selection
from tests.helpers import write_tree
from tests.verbs import exit_code

DEBIAN = "FROM debian:12\n"


def init(root: Path, files: Mapping[str, str], *, git: bool = False) -> Proposal:
    """Write files, and settings for them; the workspace is then what was proposed."""
    write_tree(root, files)
    if git:
        subprocess.run(["git", "init", "-q", str(root)], check=True)
    proposal = initialise(root, write=True, force=False)
    assert open_workspace(root).graph == proposal.graph
    return proposal


def run(root: Path, *words: str) -> int:
    return exit_code("-C", root, *words)


def parents(proposal: Proposal) -> dict[str, tuple[str, ...]]:
    return dict(proposal.graph.parents)


def open_questions(proposal: Proposal) -> dict[str, str]:
    return {item.place: item.message for item in proposal.undecided}


def kinds(proposal: Proposal) -> dict[str, str]:
    return {name: image.kind.value for name, image in proposal.graph.images.items()}


TIERS = {
    "base/python-base/Dockerfile": DEBIAN,
    "base/python-web/Dockerfile": "FROM python-base\n",
    "services/api/Dockerfile": "FROM registry.example.com/team/python-web:1\nCOPY app /app\n",
    "services/api/app/main.py": "",
}


def test_folders_of_bases_and_services_become_globs(tmp_path: Path) -> None:
    proposal = init(tmp_path, TIERS)
    assert proposal.text.splitlines()[2:] == [
        'bases = ["base/*"]',
        'services = ["services/*"]',
        'registry = "registry.example.com/team"',
    ]
    assert parents(proposal)["api"] == ("python-web",)
    assert [guess.setting for guess in proposal.guesses] == [
        'registry = "registry.example.com/team"'
    ]
    assert "services/api/Dockerfile:1" in proposal.guesses[0].because
    assert dict(proposal.external) == {"debian:12": ("python-base",)}
    assert not proposal.undecided


def test_graph_and_plan_work_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    init(tmp_path, TIERS)
    assert run(tmp_path, "graph") == 0
    assert run(tmp_path, "plan") == 0
    assert capsys.readouterr().out.count("api") == 2


def test_in_a_flat_repository_a_base_is_what_others_stand_on(tmp_path: Path) -> None:
    files = {
        "core/Dockerfile": DEBIAN,
        "tool/Dockerfile": DEBIAN,
        "web/Dockerfile": "FROM core\nCOPY --from=tool /x /x\n",
    }
    proposal = init(tmp_path, files)
    assert 'bases = ["core", "tool"]\nservices = ["*"]' in proposal.text
    assert kinds(proposal) == {"core": "base", "tool": "base", "web": "service"}


def test_what_git_ignores_is_not_looked_at(tmp_path: Path) -> None:
    files = {
        ".gitignore": "build/\n",
        "api/Dockerfile": DEBIAN,
        "build/copy/Dockerfile": DEBIAN,
    }
    assert list(init(tmp_path, files, git=True).graph.images) == ["api"]


def test_without_git_folders_of_dependencies_are_not_looked_at(tmp_path: Path) -> None:
    files = {
        "api/Dockerfile": DEBIAN,
        "api/node_modules/x/Dockerfile": DEBIAN,
        "env/pyvenv.cfg": "",
        "env/lib/x/Dockerfile": DEBIAN,
    }
    assert list(init(tmp_path, files).graph.images) == ["api"]


@pytest.mark.parametrize(
    ("path", "name", "context"),
    [
        ("api/Dockerfile.gpu", "api-gpu", "api"),
        ("api/gpu.Dockerfile", "api-gpu", "api"),
        ("api/Containerfile", "api", "api"),
        ("docker/api.Dockerfile", "api", "."),
        ("docker/Dockerfile.api", "api", "."),
        ("docker/api/Dockerfile", "api", "."),
        ("api/docker/Dockerfile", "api", "api"),
        ("My API/Dockerfile", "my-api", "My API"),
        ("python/3.11/Dockerfile", "python-3.11", "."),
    ],
)
def test_names_and_contexts_of_dockerfiles(
    tmp_path: Path, path: str, name: str, context: str
) -> None:
    files = {path: "FROM debian:12\nCOPY src/main.py /\n"}
    files[f"{context}/src/main.py"] = ""
    (image,) = init(tmp_path, files).graph.images.values()
    assert (image.name, str(image.path), str(image.file)) == (name, context, path)


@pytest.mark.parametrize(
    "path", ["api/Dockerfile.dockerignore", "Dockerfile.md", "docker.sh", "a/Dockerfile.orig", "x~"]
)
def test_files_that_are_named_like_dockerfiles_and_are_none(tmp_path: Path, path: str) -> None:
    assert list(init(tmp_path, {path: "x", "api/Dockerfile": DEBIAN}).graph.images) == ["api"]


def test_a_dockerfile_at_the_root_is_named_after_the_folder(tmp_path: Path) -> None:
    root = tmp_path / "Shop"
    assert list(init(root, {"Dockerfile": DEBIAN}).graph.images) == ["shop"]


def test_two_folders_of_one_name_are_told_apart_by_those_above(tmp_path: Path) -> None:
    files = {
        "red/api/Dockerfile": DEBIAN,
        "blue/api/Dockerfile": "FROM docker.io/library/nginx:1\n",
        "blue/web/Dockerfile": "FROM api\n",
    }
    proposal = init(tmp_path, files)
    assert set(proposal.graph.images) == {"red-api", "blue-api", "web"}
    assert open_questions(proposal) == {"blue/web/Dockerfile:1": "api may be blue-api or red-api"}
    assert proposal.undecided[0].setting == '[image.blue-api]\naliases = ["api"]'


def test_identity_in_the_tag_becomes_aliases(tmp_path: Path) -> None:
    files = {
        "ros/jazzy/ros-core/Dockerfile": "FROM ubuntu:24.04\n",
        "ros/jazzy/ros-base/Dockerfile": "FROM ros:jazzy-ros-core\n",
        "robot/Dockerfile": "FROM ros:jazzy-ros-base\n",
    }
    proposal = init(tmp_path, files)
    assert parents(proposal)["robot"] == ("ros-base",)
    assert parents(proposal)["ros-base"] == ("ros-core",)
    assert '[image.ros-core]\naliases = ["ros:jazzy-ros-core"]' in proposal.text


def test_a_public_image_that_a_folder_is_named_after_is_no_sibling(tmp_path: Path) -> None:
    files = {
        "redis/Dockerfile": "FROM redis:7\n",
        "base/Dockerfile": "FROM gcr.io/distroless/base\n",
        "api/Dockerfile": "FROM gcr.io/distroless/base\nCOPY --from=redis:7 /x /x\n",
    }
    proposal = init(tmp_path, files)
    assert proposal.graph.external["api"] == ("gcr.io/distroless/base",)
    questions = open_questions(proposal)
    assert "may be the image base of this workspace" in questions["api/Dockerfile:1"]
    assert questions["api/Dockerfile:2"] == "redis:7 is taken for the image redis of this workspace"


def test_a_prefix_without_host_is_believed_where_two_images_are_behind_it(tmp_path: Path) -> None:
    one = {"a/Dockerfile": DEBIAN, "b/Dockerfile": DEBIAN, "c/Dockerfile": "FROM acme/a\n"}
    proposal = init(tmp_path / "one", one)
    assert proposal.undecided[0].setting == 'aliases = ["acme"]'
    both = {**one, "d/Dockerfile": "FROM acme/b\n"}
    proposal = init(tmp_path / "both", both)
    assert 'aliases = ["acme"]' in proposal.text
    assert parents(proposal)["d"] == ("b",)


COMPOSE = """
services:
  api:
    image: ${REGISTRY:-registry.example.com/shop}/api:${TAG}
    build: ./api
  worker:
    image: acme/jobs:latest
    build:
      context: .
      dockerfile: docker/worker/Dockerfile
      args: [BASE=api, UNKNOWN, "WHO=$USER", "COST=$$5"]
  tool-cpu:
    build: {context: tool, target: cpu}
  tool-gpu:
    build: {context: tool, target: gpu, args: {MAJOR: 12}}
  database:
    image: postgres:16
"""


def test_compose_files_give_names_contexts_targets_and_arguments(tmp_path: Path) -> None:
    files = {
        "docker-compose.yml": COMPOSE,
        "api/Dockerfile": DEBIAN,
        "docker/worker/Dockerfile": "ARG BASE\nFROM $BASE\nCOPY lib /lib\n",
        "lib/x": "",
        "tool/Dockerfile": "ARG MAJOR\nFROM debian:12 AS cpu\nFROM cuda:${MAJOR:-11} AS gpu\n",
        "web/Dockerfile": "FROM acme/jobs\n",
    }
    proposal = init(tmp_path, files)
    graph = proposal.graph
    assert parents(proposal) | {"api": ()} == {
        "api": (),
        "tool-cpu": (),
        "tool-gpu": (),
        "worker": ("api",),
        "web": ("worker",),
    }
    assert graph.external["tool-gpu"] == ("cuda:12",)
    assert 'aliases = ["acme/jobs"]' in proposal.text
    worker = graph.images["worker"].build
    assert worker is not None
    assert worker.settings.build_args == {"BASE": "api", "COST": "$5"}
    assert worker.settings.path == "."


def test_a_public_name_that_compose_tags_over_is_no_alias(tmp_path: Path) -> None:
    files = {
        "compose.yaml": "services: {web: {image: nginx, build: front}}",
        "front/Dockerfile": "FROM nginx:1.25\n",
        "other/Dockerfile": "FROM nginx:1.25\n",
    }
    assert init(tmp_path, files).graph.external["other"] == ("nginx:1.25",)


@pytest.mark.parametrize("text", ["a: [", "- x", "services: [1]", "services: {a: {build: 7}}", ""])
def test_a_compose_file_that_cannot_be_read_says_nothing(tmp_path: Path, text: str) -> None:
    files = {"compose.yaml": text, "api/Dockerfile": DEBIAN}
    assert list(init(tmp_path, files).graph.images) == ["api"]


def test_templates_and_open_variables_are_left_out_with_what_would_decide_them(
    tmp_path: Path,
) -> None:
    files = {f"docker/svc{n}/Dockerfile.j2": "FROM {{ base }}\n" for n in range(3)} | {
        "docker/open/Dockerfile": "ARG BASE\nFROM ${BASE}\n",
        "docker/todo/Dockerfile": "FROM REPLACE_ME\n",
        "docker/ok/Dockerfile": DEBIAN,
    }
    proposal = init(tmp_path, files)
    assert list(proposal.graph.images) == ["ok"]
    assert 'services = ["docker/ok"]' in proposal.text
    questions = open_questions(proposal)
    assert questions["docker/open/Dockerfile:2"] == "FROM ${BASE}: BASE has no value"
    assert "'REPLACE_ME' is no image or stage" in questions["docker/todo/Dockerfile:1"]
    assert sum("is a template" in message for message in questions.values()) == 3
    open_one = next(item for item in proposal.undecided if "open" in item.file)
    assert open_one.setting == ('[image.open]\npath = "docker/open"\nbuild-args = { BASE = "..." }')
    assert "# Not decided: docker/open/Dockerfile:2: FROM ${BASE}: BASE" in proposal.text


def test_many_files_with_one_question_are_one_entry(tmp_path: Path) -> None:
    templates = {f"svc{n}/Dockerfile.j2": "FROM {{ base }}\n" for n in range(9)}
    proposal = init(tmp_path, {**templates, "ok/Dockerfile": DEBIAN})
    assert len(proposal.undecided) == 9
    places = ", ".join(f"svc{n}/Dockerfile.j2" for n in range(3))
    assert f"# Not decided: {places} and 6 more: is a template" in proposal.text
    assert proposal.text.count("is a template") == 1
    assert len(proposal_lines(proposal)) < 12


def test_an_image_whose_sources_are_not_there_is_left_out_with_the_line(tmp_path: Path) -> None:
    files = {**TIERS, "services/jar/Dockerfile": "FROM python-base\nCOPY target/app.jar /\n"}
    proposal = init(tmp_path, files)
    assert "jar" not in proposal.graph.images
    assert open_questions(proposal) == {
        "services/jar/Dockerfile:2": "target/app.jar is not in the context"
    }
    assert run(tmp_path, "plan") == 0


def test_what_stands_on_an_image_that_is_left_out_is_said_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"core/Dockerfile": "FROM debian:12\nCOPY dist /\n", "web/Dockerfile": "FROM core:1\n"}
    write_tree(tmp_path, files)
    assert run(tmp_path, "init") == 0
    said = capsys.readouterr().out
    assert "core:1  web  (or core/Dockerfile, which is left out)" in said


def test_images_that_stand_on_each_other_in_a_circle_are_opened_up(tmp_path: Path) -> None:
    files = {"a/Dockerfile": "FROM b\n", "b/Dockerfile": "FROM a\n", "c/Dockerfile": DEBIAN}
    proposal = init(tmp_path, files)
    assert len(proposal.graph.images) == 2
    assert "in a circle" in proposal.undecided[0].message


def test_recipes_and_dockerfiles_are_found_side_by_side(tmp_path: Path) -> None:
    files = {
        "base/one/image.toml": 'from = "debian:bookworm"\n',
        "base/two/Dockerfile": "FROM one\n",
        "other/one/Dockerfile": DEBIAN,
        "base/wrong/image.toml": "x = 1\n",
    }
    proposal = init(tmp_path, files)
    assert set(proposal.graph.images) == {"one", "two", "other-one"}
    assert open_questions(proposal) == {"base/wrong/image.toml": "no 'from'"}


def test_settings_are_never_written_over_without_force(tmp_path: Path) -> None:
    write_tree(tmp_path, {"orch.toml": "services = []\n", "api/Dockerfile": DEBIAN})
    with pytest.raises(WorkspaceError, match="has settings already") as raised:
        initialise(tmp_path, write=True, force=False)
    assert raised.value.file == str(tmp_path / "orch.toml")
    assert (tmp_path / "orch.toml").read_text() == "services = []\n"
    with pytest.raises(WorkspaceError, match="belongs to a workspace"):
        initialise(tmp_path / "api", write=True, force=False)
    initialise(tmp_path, write=True, force=True)
    assert 'services = ["*"]' in (tmp_path / "orch.toml").read_text()


def test_a_folder_of_something_else_is_an_error_that_says_how_to_begin(tmp_path: Path) -> None:
    write_tree(tmp_path, {"main.go": "package main\n"})
    with pytest.raises(
        WorkspaceError, match=r"no Dockerfile, no image\.toml and no Python"
    ) as raised:
        initialise(tmp_path, write=True, force=False)
    assert "base/python-base/Dockerfile" in raised.value.hint
    assert not (tmp_path / "orch.toml").exists()


BEGUN = {".gitignore": "*.log\n", "README.md": "", "LICENSE": "", ".github/CODEOWNERS": ""}


@pytest.mark.parametrize("files", [{}, BEGUN], ids=["empty", "begun"])
def test_an_empty_folder_becomes_a_workspace_that_passes_the_check(
    tmp_path: Path, files: dict[str, str]
) -> None:
    proposal = init(tmp_path, files, git=bool(files))
    assert parents(proposal) == {
        "python-base": (),
        "python-web": ("python-base",),
        "hello": ("python-web",),
    }
    assert kinds(proposal)["hello"] == "service"
    assert not check(tmp_path, Selection()).findings
    assert all((tmp_path / path).read_text() == text for path, text in proposal.files.items())
    assert {path: (tmp_path / path).read_text() for path in files} == files


def test_a_workspace_to_begin_with_has_git_ignore_what_is_built(tmp_path: Path) -> None:
    init(tmp_path, {}, git=True)
    assert not lacks_ignore(tmp_path, ".orch/")


def test_a_workspace_to_begin_with_is_for_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert 'platforms = ["linux/arm64"]' in init(tmp_path, {}).text


def test_a_dry_run_in_an_empty_folder_shows_every_file_and_writes_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "init", "--dry-run") == 0
    assert not list(tmp_path.iterdir())
    assert "+++ b/services/hello/hello/main.py" in capsys.readouterr().out


def test_the_document_holds_the_files_of_a_workspace_to_begin_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "init", "--format", "json") == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert {file["path"]: file["text"] for file in files}["services/hello/image.toml"] == (
        tmp_path / "services/hello/image.toml"
    ).read_text()


def test_a_dry_run_prints_the_settings_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tree(tmp_path, TIERS)
    assert run(tmp_path, "init", "--dry-run") == 0
    out, err = capsys.readouterr()
    assert not (tmp_path / "orch.toml").exists()
    assert run(tmp_path, "init") == 0
    assert (tmp_path / "orch.toml").read_text() == out
    assert capsys.readouterr().out == err
    assert "└── api  (tier 2, service)" in err


@pytest.mark.parametrize(("ignored", "said"), [("*.pyc\n", 1), ("/.orch/\n", 0)])
def test_git_is_to_ignore_what_is_built(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ignored: str, said: int
) -> None:
    write_tree(tmp_path, {**TIERS, ".gitignore": ignored})
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert run(tmp_path, "init") == 0
    assert capsys.readouterr().err.count("add .orch/ to .gitignore") == said


def test_the_document_holds_settings_images_and_open_questions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tree(tmp_path, {**TIERS, "services/x/Dockerfile": "FROM $X\n"})
    assert run(tmp_path, "init", "--format", "json") == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert document["schema"] == "orch.init/1"
    assert document["written"] is True
    assert document["settings"] == (tmp_path / "orch.toml").read_text()
    assert [image["name"] for image in document["images"]] == ["python-base", "python-web", "api"]
    assert document["external"] == [{"reference": "debian:12", "images": ["python-base"]}]
    (question,) = document["undecided"]
    assert (question["file"], question["line"]) == ("services/x/Dockerfile", 1)


def test_names_and_texts_of_any_kind_make_settings_that_can_be_read(tmp_path: Path) -> None:
    files = {
        'a "b" [c]/Dockerfile': "FROM debian:12\n",
        "ünï/Dockerfile": "FROM \x0b\x1b[31m\U0001f40d\n",
        "compose.yaml": 'services: {x: {build: {context: q, args: {A: "\\x7f\\"\\U0001F40D"}}}}',
        "q/Dockerfile": "ARG A\nFROM debian:12\n",
    }
    proposal = init(tmp_path, files)
    build = proposal.graph.images["q"].build
    assert build is not None
    assert build.settings.build_args == {"A": '\x7f"\U0001f40d'}
    assert len(proposal.graph.images) == 2
