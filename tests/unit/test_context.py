"""Build contexts: what an ignore file leaves, and what instructions can reach of it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from orchestrator.context import read_context
from orchestrator.contextfilter import context_filter
from orchestrator.errors import WorkspaceError
from orchestrator.files import SourceFile
from orchestrator.ignorefile import parse_ignore_file
from tests.dockerfiles import workspace_of
from tests.helpers import write_tree


def context_of(root: Path, copies: str, ignore: str = "") -> dict[str, SourceFile]:
    """Return what `base/a` reaches with these instructions and this ignore file, by path."""
    files = {"base/a/Dockerfile": f"FROM scratch\n{copies}\n"}
    if ignore:
        files["base/a/.dockerignore"] = ignore
    workspace = workspace_of(root, files).workspace
    return {file.target: file for file in read_context(workspace, workspace.images["a"])}


def write(root: Path, *paths: str) -> None:
    write_tree(root / "base/a", {path: path for path in paths})


@pytest.mark.parametrize(
    ("patterns", "path", "ignored"),
    [
        ("x", "x", True),
        ("x", "x/y", True),
        ("x", "sub/x", False),  # .gitignore would match at any depth
        ("/x", "x", True),
        ("x/", "x", True),  # a slash at the end does not ask for a folder
        ("./x//y/", "x/y/z", True),
        ("*.c", "a.c", True),
        ("*.c", "sub/a.c", False),
        ("*/x", "a/x", True),
        ("*/x", "a/b/x", False),
        ("*", ".hidden", True),
        ("**/x", "x", True),
        ("**/x", "a/b/x", True),
        ("**/x", "a/bx", False),
        ("a/**", "a/b/c", True),
        ("a/**", "a", False),
        ("a/**/z", "a/z", True),
        ("a/**/z", "a/b/c/z", True),
        ("**", "a/b", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("a[b-d]", "ac", True),
        ("a[^b]", "ac", True),
        ("a[^b]", "ab", False),
        ("a.b", "axb", False),
        ("a(b|c)+", "a(b|c)+", True),
        ("\\*", "*", True),
        ("\\*", "a", False),
        ("*\n!x", "x", False),
        ("*\n!x", "x/y", False),  # git takes nothing back below an excluded folder
        ("a\n!a/b", "a/b/c", False),
        ("a\n!a/b", "a/c", True),
        ("!x\nx", "x", True),  # the last that matches decides
        ("x\n!x\nx", "x", True),
        ("!  x\n x ", "x", True),
        ("*.c\n!keep.c\nkeep.*", "keep.c", True),
        ("#x", "#x", False),
        (" #x", "#x", True),
        (".", "x", False),
        ("\ufeffx", "x", True),
        ("x\r", "x", True),
        ("**.c", "a.c", True),
        ("**.c", "a/b.c", True),
        ("**.c", "a.c/x", True),
        ("**.c", "a.cc", False),
        ("**a?", "xab", False),  # with another wildcard it is `**/a?`
        ("../x", "x", False),
        ("/../x", "x", True),
        ("x/../y", "y", True),
        ("/", "x", False),
    ],
)
def test_ignore_patterns_follow_moby_s_rules(patterns: str, path: str, *, ignored: bool) -> None:
    assert parse_ignore_file(patterns, ".dockerignore").ignores(path) is ignored


def test_a_pattern_that_is_not_closed_is_an_error_with_its_line() -> None:
    with pytest.raises(WorkspaceError, match=r"a \[ is not closed") as raised:
        parse_ignore_file("x\na[b", "f")
    assert (raised.value.file, raised.value.line) == ("f", 2)


def test_only_what_instructions_reach_counts(tmp_path: Path) -> None:
    write(tmp_path, "app/a.py", "app/sub/b.py", "other/c.py", "x.txt", "y.txt", "z.md")
    found = context_of(tmp_path, "COPY app /app\nADD ./x.txt /y.txt /to/")
    assert list(found) == ["app/a.py", "app/sub/b.py", "x.txt", "y.txt"]


def test_wildcards_stay_within_a_folder(tmp_path: Path) -> None:
    write(tmp_path, "a.txt", "b.txt", "sub/c.txt", "sub/deep/d.txt", "e1/f.py", "e2/f.py")
    assert list(context_of(tmp_path, "COPY *.txt /")) == ["a.txt", "b.txt"]
    assert list(context_of(tmp_path, "COPY e?/f.* s*/deep /")) == [
        "e1/f.py",
        "e2/f.py",
        "sub/deep/d.txt",
    ]


def test_two_stars_reach_all_below_their_folder(tmp_path: Path) -> None:
    write(tmp_path, "a/x.py", "a/b/c/x.py", "other/x.py")
    assert list(context_of(tmp_path, "COPY --parents a/**/*.py /x/")) == ["a/b/c/x.py", "a/x.py"]
    assert list(context_of(tmp_path, "COPY --parents none/**/*.py /x/")) == []


@pytest.mark.parametrize("source", [".", "./", "/", "app/..", "*"])
def test_a_dot_is_all_of_the_context(tmp_path: Path, source: str) -> None:
    write(tmp_path, "app/a.py", ".env")
    assert list(context_of(tmp_path, f"COPY {source} /")) == [".env", "Dockerfile", "app/a.py"]


def test_a_source_that_climbs_out_starts_at_the_context(tmp_path: Path) -> None:
    write(tmp_path, "x")
    assert list(context_of(tmp_path, "COPY ../../x /")) == ["x"]


def test_what_is_ignored_does_not_count(tmp_path: Path) -> None:
    write(tmp_path, "app/a.py", "app/a.pyc", "app/logs/x", "app/logs/keep")
    found = context_of(tmp_path, "COPY app /", "**/*.pyc\napp/logs\n!app/logs/keep")
    assert list(found) == ["app/a.py", "app/logs/keep"]


def test_the_dockerfile_s_own_ignore_file_goes_before_the_context_s(tmp_path: Path) -> None:
    write(tmp_path, "x", "y")
    write_tree(tmp_path, {"base/a/Dockerfile.dockerignore": "x\nDockerfile*\n.dockerignore"})
    assert list(context_of(tmp_path, "COPY . /", "y")) == ["y"]


@pytest.mark.parametrize("copy", ["COPY gone /", "COPY x gone/y /", "ADD sub/gone /"])
def test_a_missing_copy_source_is_an_error_with_its_line(tmp_path: Path, copy: str) -> None:
    write(tmp_path, "x", "sub/y")
    with pytest.raises(WorkspaceError, match=r"gone.* is not in the context") as raised:
        context_of(tmp_path, copy)
    assert raised.value.file == str(tmp_path / "base/a/Dockerfile")
    assert raised.value.line == 2


def test_an_ignored_copy_source_is_an_error_that_says_so(tmp_path: Path) -> None:
    write(tmp_path, "x")
    with pytest.raises(WorkspaceError, match=r"x is excluded by \.dockerignore"):
        context_of(tmp_path, "COPY x /", "x")


def test_wildcards_may_match_nothing(tmp_path: Path) -> None:
    write(tmp_path, "x")
    assert list(context_of(tmp_path, "COPY x lock* /")) == ["x"]


def test_a_link_counts_by_its_target_s_text(tmp_path: Path) -> None:
    write(tmp_path, "app/x")
    (tmp_path / "base/a/app/link").symlink_to("x")
    found = context_of(tmp_path, "COPY app /")
    assert (found["app/link"].link, found["app/link"].sha256) == ("x", "")


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../outside", "../.."])
def test_a_link_out_of_the_context_is_an_error(tmp_path: Path, target: str) -> None:
    write(tmp_path, "app/x")
    (tmp_path / "base/a/app/link").symlink_to(target)
    with pytest.raises(WorkspaceError, match="app/link leads out of the context"):
        context_of(tmp_path, "COPY app /")


def test_a_link_out_of_the_context_that_nothing_reaches_is_none_of_ours(tmp_path: Path) -> None:
    write(tmp_path, "app/x")
    (tmp_path / "base/a/link").symlink_to("/etc/passwd")
    assert list(context_of(tmp_path, "COPY app /")) == ["app/x"]


def test_a_source_that_is_or_leads_through_a_link_counts_with_what_it_leads_to(
    tmp_path: Path,
) -> None:
    write(tmp_path, "real/sub/x", "real/y")
    (tmp_path / "base/a/link").symlink_to("real")
    (tmp_path / "base/a/file").symlink_to("link/y")
    assert list(context_of(tmp_path, "COPY link/sub /")) == ["link", "real/sub/x"]
    assert list(context_of(tmp_path, "COPY file /")) == ["file", "link", "real/y"]


def test_links_in_a_circle_come_to_an_end(tmp_path: Path) -> None:
    write(tmp_path, "x")
    (tmp_path / "base/a/one").symlink_to("two")
    (tmp_path / "base/a/two").symlink_to("one")
    (tmp_path / "base/a/deeper").symlink_to("deeper/x")
    assert list(context_of(tmp_path, "COPY on* deep* /")) == ["deeper", "one", "two"]


@pytest.mark.parametrize("name", ["gone", "one", "out-of-reach"])
def test_a_link_that_leads_to_nothing_is_an_error_as_a_source(tmp_path: Path, name: str) -> None:
    write(tmp_path, "ignored")
    for link, target in {"gone": "nowhere", "one": "two", "two": "one"}.items():
        (tmp_path / "base/a" / link).symlink_to(target)
    (tmp_path / "base/a/out-of-reach").symlink_to("ignored")
    with pytest.raises(WorkspaceError, match=f"{name} is a link that leads to nothing") as raised:
        context_of(tmp_path, f"COPY {name} /", "ignored")
    assert raised.value.line == 2


def test_a_link_that_leads_to_nothing_is_copied_with_its_folder(tmp_path: Path) -> None:
    write(tmp_path, "app/x")
    (tmp_path / "base/a/app/gone").symlink_to("nowhere")
    assert list(context_of(tmp_path, "COPY app /")) == ["app/gone", "app/x"]


def test_what_any_number_of_links_leads_to_counts(tmp_path: Path) -> None:
    names = [f"{number:03}" for number in range(100)]
    write(tmp_path, *(f"real/{name}" for name in names))
    (tmp_path / "base/a/links").mkdir()
    for name in names:
        (tmp_path / "base/a/links" / name).symlink_to(f"../real/{name}")
    found = context_of(tmp_path, "COPY links/* /")
    assert sum(path.startswith("real/") for path in found) == len(names)


def test_a_name_that_is_not_utf8_counts_like_any_other(tmp_path: Path) -> None:
    write(tmp_path, "app/x")
    file = Path(os.fsdecode(bytes(tmp_path / "base/a/app") + b"/\xff"))
    file.write_text("1")
    link = Path(os.fsdecode(bytes(tmp_path / "base/a/app") + b"/\xfe"))
    link.symlink_to(file.name)
    found = context_of(tmp_path, "COPY app /")
    assert list(found) == ["app/\\udcfe", "app/\\udcff", "app/x"]
    assert found["app/\\udcfe"].link == "\\udcff"
    file.write_text("2")
    assert context_of(tmp_path, "COPY app /")["app/\\udcff"] != found["app/\\udcff"]


def test_an_empty_folder_counts(tmp_path: Path) -> None:
    (tmp_path / "base/a/app/logs").mkdir(parents=True)
    assert list(context_of(tmp_path, "COPY app /")) == ["app/logs/"]


def test_a_socket_is_left_out_and_a_pipe_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "app/x")
    with socket.socket(socket.AF_UNIX) as server:
        folder = os.open(tmp_path / "base/a/app", os.O_RDONLY)
        server.bind(f"/proc/self/fd/{folder}/s")
        os.close(folder)
    assert list(context_of(tmp_path, "COPY app /")) == ["app/x"]
    os.mkfifo(tmp_path / "base/a/app/pipe")
    with pytest.raises(WorkspaceError, match="app/pipe is neither a file nor a link"):
        context_of(tmp_path, "COPY app /")


def test_the_workspace_s_own_folder_does_not_count(tmp_path: Path) -> None:
    files = {"Dockerfile": "FROM scratch\nCOPY . /\n", ".orch/state.db": "x"}
    settings = '[image.all]\npath = "."\n'
    workspace = workspace_of(tmp_path, files, settings).workspace
    found = [file.target for file in read_context(workspace, workspace.images["all"])]
    assert found == ["Dockerfile", "orch.toml"]


def test_paths_that_are_gone_are_selected_like_any_other(tmp_path: Path) -> None:
    files = {
        "base/a/Dockerfile": "FROM scratch\nCOPY app *.txt /\n",
        "base/a/.dockerignore": "**/x",
    }
    workspace = workspace_of(tmp_path, files).workspace
    chosen = context_filter(workspace, workspace.images["a"])
    paths = ("app", "app/y", "app/x", "b.txt", "sub/b.txt")
    assert [chosen.selects(path) for path in paths] == [True, True, False, True, False]
