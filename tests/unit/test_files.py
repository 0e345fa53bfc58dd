"""The files a recipe copies: which are selected, and which are refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.errors import WorkspaceError
from orchestrator.files import SourceFile, read_files
from orchestrator.workspace import read_workspace
from tests.helpers import ROOT, write_tree, write_workspace


def files_of(root: Path, copies: str) -> dict[str, SourceFile]:
    """Return what an image `base/a` with these `[[files]]` copies, by path in the image."""
    write_workspace(root, {"base/a": f'from = "{ROOT}"\nfiles = [{copies}]\n'})
    workspace = read_workspace(root)
    return {file.target: file for file in read_files(workspace, workspace.images["a"])}


def test_a_folder_s_files_come_below_the_target(tmp_path: Path) -> None:
    write_tree(tmp_path, {"base/a/src/x.py": "x", "base/a/src/sub/y.py": "yy"})
    files = files_of(tmp_path, "{from='src', to='/app'}")
    assert list(files) == ["app/sub/y.py", "app/x.py"]
    assert files["app/sub/y.py"].size_bytes == 2


def test_a_file_takes_the_target_s_name_or_goes_below_it(tmp_path: Path) -> None:
    write_tree(tmp_path, {"base/a/x.txt": ""})
    copies = "{from='x.txt', to='/a/b'}, {from='x.txt', to='/c/'}, {from='x.txt', to='/'}"
    assert list(files_of(tmp_path, copies)) == ["a/b", "c/x.txt", "x.txt"]


@pytest.mark.parametrize("target", ["/app", "//app", "/app/", "/./app", "/app//."])
def test_one_place_has_one_name_however_it_is_written(tmp_path: Path, target: str) -> None:
    write_tree(tmp_path, {"base/a/src/x": ""})
    assert list(files_of(tmp_path, f"{{from='src', to='{target}'}}")) == ["app/x"]


def test_a_folder_may_be_copied_to_the_image_s_root(tmp_path: Path) -> None:
    write_tree(tmp_path, {"base/a/root/etc/x": ""})
    assert list(files_of(tmp_path, "{from='root', to='/'}")) == ["etc/x"]


def test_two_slashes_start_at_the_workspace_s_root(tmp_path: Path) -> None:
    write_tree(tmp_path, {"shared/x": ""})
    assert list(files_of(tmp_path, "{from='//shared', to='/app'}")) == ["app/x"]


def test_of_two_copies_to_one_place_the_later_wins(tmp_path: Path) -> None:
    write_tree(tmp_path, {"base/a/one": "1", "base/a/two": "22"})
    files = files_of(tmp_path, "{from='one', to='/x'}, {from='two', to='/x'}")
    assert files["x"].size_bytes == 2


def test_pycache_is_never_copied(tmp_path: Path) -> None:
    names = ["x.py", "x.pyc", "__pycache__/x.cpython-311.pyc", "sub/__pycache__/y.txt", ".git/HEAD"]
    write_tree(tmp_path, {f"base/a/src/{name}": "" for name in names})
    assert list(files_of(tmp_path, "{from='src', to='/app'}")) == ["app/x.py"]


def test_what_is_excluded_is_not_copied(tmp_path: Path) -> None:
    names = ["a.md", "keep.md", "tests/t.py", "sub/tests/t.py", "x.py"]
    write_tree(tmp_path, {f"base/a/src/{name}": "" for name in names})
    copies = "{from='src', to='/app', exclude=['*.md', '!keep.md', 'tests/']}"
    assert list(files_of(tmp_path, copies)) == ["app/keep.md", "app/x.py"]


def test_the_recipe_s_mode_goes_before_the_file_s(tmp_path: Path) -> None:
    write_tree(tmp_path, {"base/a/x": ""})
    assert files_of(tmp_path, "{from='x', to='/x', mode='0600'}")["x"].mode == 0o600


def test_a_missing_source_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="gone does not exist") as raised:
        files_of(tmp_path, "{from='gone', to='/x'}")
    assert raised.value.file == "base/a/image.toml"


def test_a_dangling_link_as_source_is_an_error(tmp_path: Path) -> None:
    write_tree(tmp_path, {"base/a/x": ""})
    (tmp_path / "base/a/link").symlink_to("gone")
    with pytest.raises(WorkspaceError, match="link does not exist"):
        files_of(tmp_path, "{from='link', to='/x'}")


def test_a_source_outside_the_workspace_is_an_error(tmp_path: Path) -> None:
    write_tree(tmp_path, {"secret": ""})
    with pytest.raises(WorkspaceError, match="lies outside the workspace"):
        files_of(tmp_path / "ws", "{from='../../../secret', to='/x'}")


def test_a_source_that_is_a_link_out_of_the_workspace_is_an_error(tmp_path: Path) -> None:
    write_tree(tmp_path, {"secrets/key": "", "ws/base/a/x": ""})
    (tmp_path / "ws/base/a/link").symlink_to(tmp_path / "secrets")
    with pytest.raises(WorkspaceError, match="link is a link that leads out of the workspace"):
        files_of(tmp_path / "ws", "{from='link', to='/x'}")
    with pytest.raises(WorkspaceError, match="link/key is a link that leads out"):
        files_of(tmp_path / "ws", "{from='link/key', to='/x'}")


@pytest.mark.parametrize("leads_to", ["../outside", "/etc/passwd", "sub/../../outside"])
def test_a_link_out_of_its_folder_is_an_error(tmp_path: Path, leads_to: str) -> None:
    write_tree(tmp_path, {"base/a/src/sub/x": "", "base/a/outside": ""})
    (tmp_path / "base/a/src/link").symlink_to(leads_to)
    with pytest.raises(WorkspaceError, match=f"leads out of src, to {leads_to}"):
        files_of(tmp_path, "{from='src', to='/app'}")


def test_a_link_within_its_folder_is_copied_as_a_link(tmp_path: Path) -> None:
    write_tree(tmp_path, {"base/a/src/sub/x": ""})
    (tmp_path / "base/a/src/folder").symlink_to("sub")
    (tmp_path / "base/a/src/sub/up").symlink_to("../sub/x")
    files = files_of(tmp_path, "{from='src', to='/app'}")
    assert {name: file.link for name, file in files.items() if file.link} == {
        "app/folder": "sub",
        "app/sub/up": "../sub/x",
    }


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    write_tree(tmp_path, {"base/a/src/x": ""})
    os.mkfifo(tmp_path / "base/a/src/pipe")
    with pytest.raises(WorkspaceError, match="pipe is neither a file nor a link"):
        files_of(tmp_path, "{from='src', to='/app'}")
    with pytest.raises(WorkspaceError, match="pipe is neither a file nor a link"):
        files_of(tmp_path, "{from='src/pipe', to='/app'}")


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    write_tree(tmp_path, {"base/a/src/x": ""})
    Path(os.fsdecode(bytes(tmp_path / "base/a/src") + b"/\xff")).touch()
    with pytest.raises(WorkspaceError, match="has a name that is not UTF-8"):
        files_of(tmp_path, "{from='src', to='/app'}")


def test_a_name_in_any_script_is_copied(tmp_path: Path) -> None:
    write_tree(tmp_path, {"base/a/src/größe 語\u00a0.txt": ""})
    assert list(files_of(tmp_path, "{from='src', to='/app'}")) == ["app/größe 語\u00a0.txt"]


@pytest.mark.parametrize("place", ["/usr", "/bin", "/usr/local/bin", "//etc/."])
def test_a_file_in_the_place_of_a_folder_of_the_system_is_refused(
    tmp_path: Path, place: str
) -> None:
    write_tree(tmp_path, {"base/a/x": ""})
    with pytest.raises(WorkspaceError, match="in the place of the folder /"):
        files_of(tmp_path, f"{{from='x', to='{place}'}}")


def test_a_link_that_the_system_has_likewise_may_be_copied(tmp_path: Path) -> None:
    write_tree(tmp_path, {"base/a/root/usr/bin/x": ""})
    (tmp_path / "base/a/root/bin").symlink_to("usr/bin")
    assert list(files_of(tmp_path, "{from='root', to='/'}")) == ["bin", "usr/bin/x"]


@pytest.mark.parametrize("name", [".wh.x", "sub/.wh..wh..opq"])
def test_a_name_that_layers_take_for_a_removal_is_refused(tmp_path: Path, name: str) -> None:
    write_tree(tmp_path, {f"base/a/src/{name}": ""})
    with pytest.raises(WorkspaceError, match=r"would take files away: \.wh\."):
        files_of(tmp_path, "{from='src', to='/app'}")


@pytest.mark.parametrize("pattern", ["!", "\\"])
def test_a_pattern_that_says_nothing_is_refused(tmp_path: Path, pattern: str) -> None:
    write_tree(tmp_path, {"base/a/src/x": ""})
    with pytest.raises(WorkspaceError, match=r"\[\[files\]\] exclude: "):
        files_of(tmp_path, f"{{from='src', to='/app', exclude=['{pattern}']}}")


def test_what_orch_keeps_in_a_workspace_is_never_copied(tmp_path: Path) -> None:
    write_tree(tmp_path, {".orch/state.db": "", "x": ""})
    assert "app/.orch/state.db" not in files_of(tmp_path, "{from='//', to='/app'}")
