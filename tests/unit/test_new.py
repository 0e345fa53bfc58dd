"""`orch new`: what it writes is found, checked and locked as it is; what is there stays."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.app.checking import check
from orchestrator.app.new_files import new_files, write_new_files
from orchestrator.app.opened import open_workspace
from orchestrator.checks.finding import Severity
from orchestrator.errors import WorkspaceError
from orchestrator.select import Selection
from tests.helpers import write_tree
from tests.verbs import exit_code

TREE = {
    "orch.toml": "",
    "base/root/image.toml": 'from = "debian:bookworm"\n[system]\npackages = ["python3.11"]\n',
    "base/root/requirements.txt": "# what all need\nFastAPI>=0.1\nuvicorn\n",
    "base/bare/image.toml": 'from = "debian:bookworm"\n[system]\npackages = ["python3.11"]\n',
    "base/old/image.toml": 'from = "root"\ndeprecated = "use root"\n',
    "services/shop/image.toml": (
        'from = "bare"\nsummary = "Sells"\n\n[[files]]\nfrom = "shop"\nto = "/app/shop"\n\n'
        '[config]\nuser = "1000"\nexpose = ["80"]\n'
        'command = ["python", "-m", "uvicorn", "shop.main:app"]\n'
        '[healthcheck]\nhttp = "http://127.0.0.1:80/health"\n'
    ),
    "services/shop/requirements.txt": "fastapi\nuvicorn[standard]\nstripe  # to be paid\n",
    "services/shop/shop/main.py": 'from shop.till import open\n\n# the shop\nname = "shop"\n',
    "services/shop/shop/__init__.py": "",
    "services/shop/test_shop.py": "from shop.main import name\n",
    "services/shop/run.sh": "#!/bin/sh\nexec python -m shop\n",
    "services/shop/k8s.yaml": "metadata:\n  name: shop\nimage: shop:latest\nkind: workshop\n",
    "services/common/lib.py": "",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_tree(tmp_path, TREE)
    (tmp_path / "services/shop/run.sh").chmod(0o755)
    (tmp_path / "services/shop/logo").write_bytes(b"\x89PNG\xff")
    (tmp_path / "services/shop/link").symlink_to("logo")
    return tmp_path


def new(root: Path, *words: str) -> int:
    return exit_code("-C", root, "new", *words)


def errors(root: Path) -> list[str]:
    found = check(root, Selection()).findings
    return [str(finding.message) for finding in found if finding.severity is Severity.ERROR]


def files(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and ".orch" not in path.parts
    }


def text(root: Path, path: str) -> str:
    return (root / path).read_text()


def test_a_new_service_has_a_recipe_a_program_and_a_test_and_passes_the_check(root: Path) -> None:
    assert new(root, "service", "api", "--from", "root") == 0
    image = open_workspace(root).graph.images["api"]
    assert (image.recipe.parent, image.kind.value) == ("root", "service")
    assert image.recipe.healthcheck is not None
    assert {path.name for path in (root / "services/api").rglob("*.py")} == {
        "__init__.py",
        "main.py",
        "test_api.py",
    }
    assert errors(root) == []


def test_a_new_service_asks_only_for_what_its_bases_do_not(root: Path) -> None:
    assert new(root, "service", "api", "--from", "root") == 0
    assert not (root / "services/api/requirements.txt").exists()
    assert new(root, "service", "web", "--from", "bare") == 0
    assert text(root, "services/web/requirements.txt") == "fastapi\nuvicorn\n"


@pytest.mark.parametrize("name", ["queue", "fastapi", "class", "3d", "a-b.c"])
def test_the_program_of_a_service_can_be_imported_whatever_its_name(root: Path, name: str) -> None:
    assert new(root, "service", name, "--from", "root") == 0
    program = next((root / "services" / name).glob("*/main.py"))
    package = program.parent.name
    assert package.isidentifier()
    assert package not in {"queue", "fastapi", "class"}
    compile(program.read_text(), "main.py", "exec")
    compile(text(root, f"services/{name}/test_{package}.py"), "test.py", "exec")
    assert f'"{package}.main:app"' in text(root, f"services/{name}/image.toml")


@pytest.mark.parametrize(
    ("parent", "line"),
    [
        ("root", 'from = "root"'),
        ("debian:bookworm", 'packages = ["python3.11",'),
        ("registry.example.com/team/cuda:12@sha256:" + "0" * 64, 'from = "registry.example.com'),
    ],
)
def test_a_new_base_stands_on_a_base_on_debian_or_on_an_external_image(
    root: Path, parent: str, line: str
) -> None:
    assert new(root, "base", "data", "--from", parent) == 0
    assert line in text(root, "base/data/image.toml")
    image = open_workspace(root).graph.images["data"]
    assert (image.recipe.parent, image.kind.value) == (parent, "base")
    assert errors(root) == []


def test_a_service_like_another_has_its_files_under_its_own_name(root: Path) -> None:
    assert new(root, "service", "till", "--like", "shop") == 0
    below = root / "services/till"
    assert 'from = "bare"\nsummary = "till: say here what it does"' in text(below, "image.toml")
    assert 'from = "till"\nto = "/app/till"' in text(below, "image.toml")
    assert '"till.main:app"' in text(below, "image.toml")
    assert text(below, "till/main.py").startswith("from till.till import")
    assert text(below, "test_till.py") == "from till.main import name\n"
    assert "name: till\nimage: till:latest\nkind: workshop" in text(below, "k8s.yaml")
    assert (below / "logo").read_bytes() == b"\x89PNG\xff"
    assert os.access(below / "run.sh", os.X_OK)
    assert not os.access(below / "test_till.py", os.X_OK)
    assert text(below, "requirements.txt") == TREE["services/shop/requirements.txt"]
    assert errors(root) == []


def test_a_service_like_another_on_another_base_leaves_out_what_that_brings(root: Path) -> None:
    assert new(root, "service", "till", "--like", "shop", "--from", "root") == 0
    assert open_workspace(root).graph.images["till"].recipe.parent == "root"
    lines = text(root, "services/till/requirements.txt")
    assert lines == "uvicorn[standard]\nstripe  # to be paid\n"


def test_what_only_the_other_base_brought_is_asked_for_where_the_files_name_it(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert new(root, "service", "api", "--from", "root") == 0
    write_tree(root, {"base/root/requirements.txt": "fastapi\nuvicorn\norjson\n"})
    assert new(root, "service", "till", "--like", "api", "--from", "bare") == 0
    assert text(root, "services/till/requirements.txt") == "fastapi\nuvicorn\n"
    said = "services/till/requirements.txt: bare does not bring orjson"
    assert said in capsys.readouterr().err
    assert errors(root) == []


def test_what_a_copy_may_have_to_be_changed_in_is_named(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new(root, "service", "till", "--like", "shop")
    said = capsys.readouterr().err
    assert "services/till/till/main.py: still says shop in line 3" in said
    assert "services/till/run.sh: still says shop in line 2" in said
    assert "services/till/link: a link, which was not copied" in said
    assert "image.toml: still says" not in said


def test_a_dry_run_shows_the_files_and_writes_none(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(root)
    assert new(root, "service", "api", "--from", "root", "--dry-run") == 0
    assert files(root) == before
    assert '+from = "root"' in capsys.readouterr().out


def test_the_document_names_what_was_written(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert new(root, "service", "api", "--from", "old", "--format", "json") == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["name"], document["from"]) == ("orch.new/1", "api", "old")
    assert document["written"] is True
    assert document["notes"] == ["old is deprecated: use root"]
    for file in document["files"]:
        assert text(root, file["path"]) == file["text"]


def test_a_deprecated_base_is_warned_of(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new(root, "service", "api", "--from", "old")
    assert "warning: old is deprecated: use root" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said", "hint"),
    [
        (["service", "shop", "--from", "root"], "an image 'shop' already", "another name"),
        (["service", "My Shop", "--from", "root"], "cannot name an image", "'my-shop'"),
        (["service", "api", "--from", "rot"], "no base is named 'rot'", "mean 'root'?"),
        (["service", "api", "--from", "zzz"], "no base is named 'zzz'", "are: bare, root, old"),
        (["service", "api", "--from", "shop"], "'shop' is no base", "there are: bare"),
        (["service", "api", "--from", "debian:12"], "no base is named", "there are: bare"),
        (["service", "api", "--like", "shp"], "no service is named 'shp'", "mean 'shop'?"),
        (["service", "api", "--like", "root"], "'root' is no service", "there are: shop"),
        (["service", "common", "--from", "root"], "common: is there already", "another name"),
        (["base", "data", "--from", "shop"], "'shop' is no base", "there are: bare"),
        (["base", "data", "--from", "debian:sid"], "suite is bookworm", "debian:bookworm"),
        (["base", "data", "--from", 'x"\ny:1'], "no base is named", "there are: bare"),
    ],
)
def test_what_cannot_be_added_is_an_error_that_says_what_can(
    root: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str, hint: str
) -> None:
    before = files(root)
    assert new(root, *words) == 2
    error, _, hinted = capsys.readouterr().err.partition("hint:")
    assert said in error
    assert hint in hinted
    assert files(root) == before


def test_a_service_needs_a_base_or_a_likeness(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert new(root, "service", "api") == 2
    assert "--from BASE, or --like SERVICE" in capsys.readouterr().err


def test_settings_without_a_folder_for_more_are_an_error_that_names_the_key(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "orch.toml").write_text('bases = ["base/root", "base/*/x"]\nservices = ["*/*"]\n')
    assert new(root, "base", "data", "--from", "root") == 2
    said = capsys.readouterr().err
    assert "orch.toml: bases names no folder whose subfolders are all images" in said
    assert 'add a glob such as "base/*" to bases' in said


DOCKERFILES: Mapping[str, str] = {
    "orch.toml": "",
    "base/root/Dockerfile": "FROM debian:12\n",
    "base/web/Dockerfile": "FROM root\n",
    "services/shop/Dockerfile": "FROM root\nUSER 1000\nCOPY app /app\n",
    "services/shop/app/main.py": "",
}


@pytest.fixture
def dockerfiles(tmp_path: Path) -> Path:
    return write_tree(tmp_path, DOCKERFILES)


def test_a_service_like_one_of_a_dockerfile_has_its_dockerfile(dockerfiles: Path) -> None:
    assert new(dockerfiles, "service", "till", "--like", "shop", "--from", "root") == 0
    copied = text(dockerfiles, "services/till/Dockerfile")
    assert copied == DOCKERFILES["services/shop/Dockerfile"]
    assert (dockerfiles / "services/till/app/main.py").exists()


def test_the_from_of_a_dockerfile_is_not_changed_for_a_copy(
    dockerfiles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert new(dockerfiles, "service", "till", "--like", "shop", "--from", "web") == 2
    assert "whose FROM is not changed" in capsys.readouterr().err
    assert not (dockerfiles / "services/till").exists()


def test_where_a_file_is_there_already_none_is_written(tmp_path: Path) -> None:
    (tmp_path / "b").symlink_to("nowhere")
    with pytest.raises(WorkspaceError, match="b: is there already"):
        write_new_files(tmp_path, new_files({"a": "x", "b": "y"}))
    assert not (tmp_path / "a").exists()
    assert (tmp_path / "b").is_symlink()
