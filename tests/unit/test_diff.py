"""`orch diff`: revisions against their locks, images against what was put into them."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.differences.layers import FileReader
from orchestrator.errors import AssemblyError
from orchestrator.lockfile import ImageLock
from tests.helpers import ROOT, deb_of, wheel_of, write_lock, write_tree, write_workspace
from tests.registries import TinyRegistry
from tests.verbs import Orch, forget_credentials, orch_in

FILES = "[[files]]\nfrom = 'src'\nto = '/app'\n"
VENV = "[[files]]\nfrom = 'venv'\nto = '/opt/venv'\n"
METADATA = "services/s/venv/lib/python3.11/site-packages/demo-{0}.dist-info/METADATA"


@pytest.fixture
def ws(tmp_path: Path, orch_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a locked workspace in a repository of its own, in a home without credentials."""
    forget_credentials(monkeypatch, tmp_path / "home")
    env = '[config.env]\nTOKEN = "planted"\nMODE = "a"\n'
    root = write_workspace(
        tmp_path / "ws",
        {
            "base/a": f'from = "{ROOT}"\n{FILES}',
            "services/s": f'from = "a"\n{FILES}{VENV}{env}',
            "services/t": 'from = "a"\n',
        },
    )
    write_tree(
        root,
        {
            "base/a/src/a.txt": "a",
            "services/s/src/stays.txt": "stays",
            "services/s/src/moves.txt": "old",
            "services/s/src/goes.txt": "goes",
            METADATA.format("1.0"): "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
        },
    )
    write_lock(root)
    git(root, "init", "-q", "-b", "main")
    return root


def git(root: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True)


def commit(root: Path, tag: str) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", tag)
    git(root, "tag", tag)


@pytest.fixture
def orch(ws: Path, capsys: pytest.CaptureFixture[str]) -> Orch:
    return orch_in(ws, capsys)


def locked(root: Path, tag: str) -> set[tuple[str, str, str, str]]:
    """Return image, kind, name and version of all that the lock at a tag adds, read as TOML."""
    command = ["git", "-C", str(root), "show", f"{tag}:orch.lock"]
    lock = tomllib.loads(subprocess.check_output(command).decode())
    return {
        (image, kind, name, version)
        for image, platforms in lock["image"].items()
        for kind, key in (("Debian", "debian"), ("Python", "python"))
        for name, version in platforms["linux/amd64"].get(key, {}).items()
    }


@pytest.fixture
def bumped(ws: Path) -> Path:
    """Commit a tree, and the same after its base was bumped."""
    base = ImageLock(
        (deb_of("curl", "8.1"), deb_of("libssl3", "3.0"), deb_of("zlib1g", "1.2")),
        (wheel_of("numpy", "2.0"), wheel_of("uvloop", "0.19"), wheel_of("yarl", "1.9")),
    )
    service = ImageLock((), (wheel_of("fastapi", "0.100"),))
    write_lock(ws, {"a": base, "s": service})
    commit(ws, "before")
    base = ImageLock(
        (deb_of("curl", "8.2"), deb_of("libpsl5", "0.21"), deb_of("zlib1g", "1.2")),
        (
            wheel_of("numpy", "2.1"),
            wheel_of("orjson", "3.9"),
            wheel_of("yarl", "1.9", "cp311-none-any"),
        ),
    )
    write_lock(ws, {"a": base, "s": service})
    commit(ws, "after")
    return ws


def test_a_base_bump_lists_exactly_the_packages_that_moved(orch: Orch, bumped: Path) -> None:
    images = orch("diff", "before", "after", "--format", "json").data["images"]
    old = {
        (image["image"], one["kind"], one["subject"], one["old"])
        for image in images
        for one in image["packages"]
        if one["old"] != one["new"] and one["old"]
    }
    new = {
        (image["image"], one["kind"], one["subject"], one["new"])
        for image in images
        for one in image["packages"]
        if one["old"] != one["new"] and one["new"]
    }
    before, after = locked(bumped, "before"), locked(bumped, "after")
    assert before - after
    assert (old, new) == (before - after, after - before)
    assert {image["image"] for image in images} == {"a"}
    assert not any(image["inputs"] for image in images)


def test_text_and_markdown_have_a_line_for_each_move(orch: Orch, bumped: Path) -> None:
    text = orch("diff", "before", "after").out
    assert text.splitlines()[1:] == [
        "  ~ curl  8.1 -> 8.2  Debian",
        "  + libpsl5  0.21  Debian",
        "  - libssl3  3.0  Debian",
        "  ~ numpy  2.0 -> 2.1  Python",
        "  + orjson  3.9  Python",
        "  - uvloop  0.19  Python",
        "  ~ yarl  1.9 (another file)  Python",
    ]
    markdown = orch("diff", "before", "after", "--format", "markdown").out
    assert "| curl (Debian) | 8.1 | 8.2 |" in markdown
    assert "| libssl3 (Debian) | 3.0 |  |" in markdown
    assert "| yarl (Python) | 1.9 | 1.9 (another file) |" in markdown
    back = orch("diff", "after", "before").out
    assert "  - libpsl5  0.21  Debian" in back


def test_a_revision_is_no_other_than_itself(orch: Orch, bumped: Path) -> None:
    ran = orch("diff", "after", "HEAD")
    assert (ran.code, ran.out) == (0, "")
    assert "nothing differs" in ran.err
    assert "Nothing differs." in orch("diff", "after", "HEAD", "--format", "markdown").out


def test_what_else_images_are_made_from_is_told_with_secrets_hidden(orch: Orch, ws: Path) -> None:
    commit(ws, "before")
    change(ws)
    (ws / "services/t/image.toml").unlink()
    write_tree(ws, {"services/u/image.toml": 'from = "a"\n'})
    write_lock(ws)
    commit(ws, "after")
    ran = orch("diff", "before", "after")
    assert "  ~ file-changed app/moves.txt" in ran.out
    assert "  - file-removed app/goes.txt" in ran.out
    assert "recipe-changed env TOKEN" in ran.out
    assert "secret" not in ran.out
    assert "planted" not in ran.out
    images = orch("diff", "before", "after", "--format", "json").data["images"]
    assert {(i["image"], i["presence"]) for i in images} == {
        ("s", "both"),
        ("t", "went"),
        ("u", "came"),
    }


def change(root: Path) -> None:
    """Change files, packages and config of an image."""
    recipe = root / "services/s/image.toml"
    recipe.write_text(recipe.read_text().replace('"planted"', '"secret"').replace("MODE", "MODES"))
    (root / "services/s/src/goes.txt").unlink()
    (root / METADATA.format("1.0")).unlink()
    write_tree(
        root,
        {
            "services/s/src/moves.txt": "new",
            "services/s/src/comes.txt": "comes",
            METADATA.format("2.0"): "Metadata-Version: 2.1\nName: demo\nVersion: 2.0\n",
        },
    )


@pytest.fixture
def tiny() -> Iterator[TinyRegistry]:
    with TinyRegistry().running() as tiny:
        yield tiny


@pytest.fixture
def published(orch: Orch, ws: Path, tiny: TinyRegistry) -> str:
    """Publish an image as `1` and change it, publish that as `2`, both with tags of git's."""
    settings = ws / "orch.toml"
    settings.write_text(f'registry = "{tiny.address}/team"\n{settings.read_text()}')
    for tag in ("1", "2"):
        assert orch("build", "--progress", "none").code == 0
        assert orch("push", "--tag", tag, "--progress", "none").code == 0
        if tag == "1":
            change(ws)
    return f"{tiny.address}/team/s"


def test_images_are_compared_by_what_they_hold(orch: Orch, published: str) -> None:
    (image,) = orch("diff", "s:1", "s:2", "--format", "json").data["images"]
    assert image["packages"] == [{"kind": "Python", "subject": "demo", "old": "1.0", "new": "2.0"}]
    folder = "opt/venv/lib/python3.11/site-packages"
    signs = {one["subject"]: (bool(one["old"]), bool(one["new"])) for one in image["files"]}
    assert signs == {
        "app/comes.txt": (False, True),
        "app/goes.txt": (True, False),
        "app/moves.txt": (True, True),
        f"{folder}/demo-1.0.dist-info": (True, False),
        f"{folder}/demo-1.0.dist-info/METADATA": (True, False),
        f"{folder}/demo-2.0.dist-info": (False, True),
        f"{folder}/demo-2.0.dist-info/METADATA": (False, True),
    }
    config = {one["subject"] for one in image["config"]}
    assert {"Env TOKEN", "Env MODE", "Env MODES"} <= config
    assert not {"User", "Cmd", "Entrypoint"} & config
    sizes = image["sizes"]
    assert sizes["new_unpacked_bytes"] - sizes["old_unpacked_bytes"] == len("comes") - len("goes")


def test_tags_digests_and_what_was_built_name_the_same_image(
    orch: Orch, ws: Path, tiny: TinyRegistry, published: str
) -> None:
    digest = tiny.tags["team/s", "2"]
    for one in ("s", digest, f"{published}:2", f"{published}@{digest}", f"s@{digest}"):
        ran = orch("diff", "s:2", one)
        assert (ran.code, "nothing differs" in ran.err) == (0, True), one
    text = orch("diff", f"{published}:1", "s").out
    assert "  ~ demo  1.0 -> 2.0  Python" in text
    assert "  - /app/goes.txt" in text
    assert "secret" not in text + json.dumps(orch("diff", "s:1", "s", "--format", "json").data)


def test_what_is_neither_revision_nor_image_is_an_error(orch: Orch, bumped: Path) -> None:
    mixed = orch("diff", "before", "s")
    assert mixed.code == 2
    assert "before is a revision of git's, and s is none" in mixed.err
    unknown = orch("diff", "nothing", "s")
    assert unknown.code == 2
    assert "'nothing' is no revision of git's, and no image that was built here" in unknown.err


def test_a_revision_that_is_not_sound_is_an_error_that_says_why(orch: Orch, ws: Path) -> None:
    lock = (ws / "orch.lock").read_text()
    (ws / "orch.lock").write_text("<<<<<<<")
    commit(ws, "broken")
    (ws / "orch.lock").write_text(lock)
    commit(ws, "mended")
    ran = orch("diff", "broken", "mended")
    assert ran.code == 1
    assert "is not sound: " in ran.err
    assert "orch-diff-" not in ran.err


def layer_of(folder: Path, name: str, members: dict[str, str]) -> Path:
    """Write a layer of files, in which a name ending in a slash is a folder."""
    path = folder / name
    with tarfile.open(path, "w:gz") as archive:
        for member, text in members.items():
            info = tarfile.TarInfo(member.rstrip("/"))
            info.type = tarfile.DIRTYPE if member.endswith("/") else tarfile.REGTYPE
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return path


def test_what_layers_take_away_is_gone(tmp_path: Path) -> None:
    low = layer_of(tmp_path, "low", {"a/": "", "a/x": "1", "a/y": "2", "b/z": "3", "bz": "4"})
    gone = layer_of(tmp_path, "gone", {"a/.wh.x": "", ".wh.b": ""})
    emptied = layer_of(tmp_path, "emptied", {"a/.wh..wh..opq": "", "a/new": "55"})
    reader = FileReader()
    assert set(reader.read([low])) == {"a", "a/x", "a/y", "b/z", "bz"}
    assert set(reader.read([low, gone])) == {"a", "a/y", "bz"}
    assert set(reader.read([low, emptied])) == {"a", "a/new", "b/z", "bz"}
    assert sum(file.size_bytes for file in reader.read([low, emptied]).values()) == 4


def test_a_layer_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "damaged").write_bytes(b"\x1f\x8bnothing")
    for name in ("damaged", "missing"):
        with pytest.raises(AssemblyError, match=name):
            FileReader().read([tmp_path / name])
