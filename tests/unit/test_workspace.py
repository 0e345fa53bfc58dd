"""The workspace: which folders are images, in which order, and which names are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import WorkspaceError
from orchestrator.model import ImageKind
from orchestrator.workspace import read_workspace
from tests.helpers import ROOT, write_tree, write_workspace

RECIPE = f'from = "{ROOT}"\n'


def test_images_come_by_kind_then_by_folder(tmp_path: Path) -> None:
    write_workspace(tmp_path, dict.fromkeys(["services/api", "base/b", "base/a"], RECIPE))
    images = read_workspace(tmp_path).images
    assert list(images) == ["a", "b", "api"]
    assert [image.kind for image in images.values()][1:] == [ImageKind.BASE, ImageKind.SERVICE]


def test_a_folder_without_definition_is_no_image(tmp_path: Path) -> None:
    write_workspace(tmp_path, {"base/a": RECIPE})
    write_tree(tmp_path, {"services/common/__init__.py": ""})
    assert list(read_workspace(tmp_path).images) == ["a"]


def test_two_images_of_one_name_are_refused_with_both_folders(tmp_path: Path) -> None:
    write_workspace(tmp_path, {"base/api": RECIPE, "services/api": RECIPE})
    with pytest.raises(
        WorkspaceError, match="two images are named 'api': base/api and services/api"
    ) as raised:
        read_workspace(tmp_path)
    assert raised.value.file == str(tmp_path / "services/api/image.toml")


def test_a_folder_that_two_globs_name_is_one_image(tmp_path: Path) -> None:
    write_workspace(tmp_path, {"base/a": RECIPE})
    write_tree(tmp_path, {"orch.toml": 'bases = ["base/*", "base/a"]'})
    assert list(read_workspace(tmp_path).images) == ["a"]


@pytest.mark.parametrize("name", ["Web", "my image", "a--_b", "-a", "ä"])
def test_a_folder_that_cannot_name_an_image_is_refused(tmp_path: Path, name: str) -> None:
    write_workspace(tmp_path, {f"base/{name}": RECIPE})
    with pytest.raises(WorkspaceError, match="cannot name an image"):
        read_workspace(tmp_path)


@pytest.mark.parametrize("pattern", ["/etc/*", "", "../other/*"])
def test_a_glob_that_cannot_name_folders_below_the_root_is_refused(
    tmp_path: Path, pattern: str
) -> None:
    write_workspace(tmp_path / "ws", {"base/a": RECIPE})
    write_tree(tmp_path, {"other/x/image.toml": RECIPE})
    write_tree(tmp_path / "ws", {"orch.toml": f'bases = ["{pattern}"]'})
    with pytest.raises(WorkspaceError, match="names no folders of the workspace"):
        read_workspace(tmp_path / "ws")


def test_a_wrong_recipe_is_refused_with_its_file(tmp_path: Path) -> None:
    write_workspace(tmp_path, {"base/a": "from = 1"})
    with pytest.raises(WorkspaceError) as raised:
        read_workspace(tmp_path)
    assert str(raised.value).startswith(f"{tmp_path}/base/a/image.toml:1: ")


def test_a_recipe_that_leads_nowhere_is_no_missing_image(tmp_path: Path) -> None:
    write_workspace(tmp_path, {"base/a": RECIPE})
    (tmp_path / "base/b").mkdir()
    (tmp_path / "base/b/image.toml").symlink_to("../../shared/image.toml")
    with pytest.raises(WorkspaceError, match=r"base/b/image\.toml: cannot be read: No such file"):
        read_workspace(tmp_path)


def test_requirements_that_lead_nowhere_are_not_passed_by(tmp_path: Path) -> None:
    write_workspace(tmp_path, {"base/a": RECIPE})
    (tmp_path / "base/a/requirements.txt").symlink_to("../../shared.txt")
    with pytest.raises(WorkspaceError, match=r"requirements\.txt does not exist"):
        read_workspace(tmp_path)
