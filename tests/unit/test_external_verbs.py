"""External images as a user meets them: locked, checked, moved, built on; a registry in here."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.oci.layout import Layout
from tests.bases import diff_id_of, digest_of, publish
from tests.dockerfiles import prints_of
from tests.helpers import AMD64, ARM64, write_tree
from tests.registries import TinyRegistry
from tests.traps import git
from tests.verbs import Orch, Ran, forget_credentials, orch_in

ONE, TWO = {"etc/base": "one"}, {"etc/base": "two"}
NOBODY = "127.0.0.1:9"


@pytest.fixture
def tiny() -> Iterator[TinyRegistry]:
    with TinyRegistry().running() as tiny:
        yield tiny


@pytest.fixture
def base(tiny: TinyRegistry) -> str:
    """Return the reference of an image of two platforms."""
    publish(tiny.address, "team/base", "1", ONE, platforms=(ARM64, AMD64))
    return f"{tiny.address}/team/base:1"


@pytest.fixture
def orch(
    tmp_path: Path,
    orch_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Orch:
    """Return `orch -C WORKSPACE ...` as a function, in a home without credentials or Docker."""
    forget_credentials(monkeypatch, tmp_path / "home")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    return orch_in(tmp_path / "ws", capsys)


@pytest.fixture
def ws(tmp_path: Path, base: str) -> Path:
    """Write a workspace of Dockerfiles, of which two stand on the image, one below the other."""
    files = {
        "orch.toml": "",
        "base/core/Dockerfile": f"FROM {base}\n",
        "base/other/Dockerfile": "FROM scratch\nCOPY x /x\n",
        "base/other/x": "x",
        "services/api/Dockerfile": "FROM core\n",
    }
    return write_tree(tmp_path / "ws", files)


def well(ran: Ran) -> Ran:
    assert ran.code == 0, ran.err
    return ran


def pins(ws: Path) -> dict[str, str]:
    rows = (ws / "orch.lock").read_text().split("[[external]]\n")[1:]
    return dict(
        [line.partition(" = ")[2].strip('"') for line in row.splitlines()[:2]] for row in rows
    )


def test_a_workspace_of_dockerfiles_alone_is_locked_and_needs_no_lock(
    orch: Orch, ws: Path, base: str, tiny: TinyRegistry
) -> None:
    assert well(orch("plan")).out
    well(orch("lock", "--check"))
    before = prints_of(ws)
    tiny.asked.clear()
    ran = well(orch("lock"))
    assert tiny.asked == ["HEAD /v2/team/base/manifests/1"], "nothing is pulled for a pin"
    assert "pinned 1 of 1 external images" in ran.err
    assert pins(ws) == {base: tiny.tags["team/base", "1"]}
    well(orch("lock", "--check"))
    now = prints_of(ws)
    assert {name for name in now if now[name] != before[name]} == {"core", "api"}


def test_a_tag_that_moves_upstream_changes_nothing_until_the_pin_is_moved(
    orch: Orch, ws: Path, base: str, tiny: TinyRegistry
) -> None:
    well(orch("lock"))
    well(orch("plan", "--check-bases"))
    before, old = prints_of(ws), pins(ws)[base]
    new = publish(tiny.address, "team/base", "1", TWO)
    assert prints_of(ws) == before
    well(orch("lock"))
    assert pins(ws)[base] == old

    checked = orch("plan", "--check-bases", "--format", "json")
    assert checked.code == 1
    assert "orch lock --upgrade-bases" in checked.err
    (found,) = checked.data["bases"]
    assert (found["status"], found["pinned"], found["upstream"]) == ("moved", old, new)
    assert (found["named_by"], found["dependents"]) == (["core"], ["core", "api"])
    assert (found["file"], found["line"]) == ("base/core/Dockerfile", 1)
    shown = orch("plan", "--check-bases")
    assert f"{old[:19]} -> {new[:19]}" in shown.out
    assert "rebuilds core, api" in shown.out
    well(orch("plan", "--check-bases", "other"))

    moved = well(orch("lock", "--upgrade-bases", "--format", "json")).data
    assert moved["external"] == [{"reference": base, "old": old, "new": new}]
    now = prints_of(ws)
    assert {name for name in now if now[name] != before[name]} == {"core", "api"}
    well(orch("plan", "--check-bases"))


def test_upgrading_everything_moves_external_images_too(
    orch: Orch, ws: Path, base: str, tiny: TinyRegistry
) -> None:
    well(orch("lock"))
    new = publish(tiny.address, "team/base", "1", TWO)
    assert well(orch("lock", "--upgrade", "--dry-run")).out == f"{base} {pins(ws)[base]} -> {new}\n"
    well(orch("lock", "--upgrade"))
    assert pins(ws)[base] == new


def test_what_is_gone_upstream_is_told_and_keeps_its_pin(
    orch: Orch, ws: Path, base: str, tiny: TinyRegistry
) -> None:
    well(orch("lock"))
    pinned = pins(ws)
    tiny.tags.clear()
    checked = orch("plan", "--check-bases", "--format", "json")
    assert (checked.code, checked.data["bases"][0]["status"]) == (1, "gone")
    assert (
        "stays as it is pinned: its registry does not have it"
        in orch("lock", "--upgrade-bases").err
    )
    assert pins(ws) == pinned


def test_a_registry_that_is_out_of_reach_stops_no_lock_and_is_no_answer_to_a_check(
    orch: Orch, ws: Path, base: str
) -> None:
    files = (
        "base/core/Dockerfile",
        f"FROM {NOBODY}/a:1 AS a\nFROM {NOBODY}/b:1\nCOPY --from=a / /",
    )
    well(orch("lock"))
    known = (ws / "orch.lock").read_text()
    write_tree(ws, dict([files]))
    behind = orch("lock", "--check")
    assert behind.code == 1
    assert f"core uses the external image {NOBODY}/a:1, which is not locked" in behind.out
    assert f"core/Dockerfile:1: {NOBODY}/a:1 is not in orch.lock" in well(orch("plan")).err

    locked = well(orch("lock"))
    assert f"base/core/Dockerfile:2: {NOBODY}/b:1 is not pinned" in locked.err
    assert pins(ws) == {f"{NOBODY}/{x}:1": "its registry is out of reach" for x in "ab"}
    well(orch("lock", "--check"))
    assert "is not in orch.lock" not in well(orch("plan")).err
    unpinned = well(orch("plan", "--check-bases"))
    assert "not pinned, so they may move unseen" in unpinned.err

    (ws / "orch.lock").write_text(known.replace(base, f"{NOBODY}/a:1"))
    checked = orch("plan", "--check-bases", "--format", "json")
    assert checked.code == 3
    assert [row["status"] for row in checked.data["bases"]] == ["unknown", "unpinned"]


def test_affected_names_what_stands_on_an_image_whose_pin_moved(
    orch: Orch, ws: Path, tiny: TinyRegistry
) -> None:
    well(orch("lock"))
    git(ws, "init", "-q")
    git(ws, "add", "-A")
    git(ws, "commit", "-q", "-m", "first")
    publish(tiny.address, "team/base", "1", TWO)
    well(orch("lock", "--upgrade-bases"))
    assert well(orch("affected", str(ws / "orch.lock"))).out.split() == ["core", "api"]
    since = well(orch("plan", "--since", "HEAD", "--format", "json")).data["images"]
    assert [image["name"] for image in since] == ["core", "api"]


@pytest.fixture
def recipes(tmp_path: Path, base: str) -> Path:
    """Write a workspace of recipes of files alone, on the external image."""
    files = {
        "orch.toml": 'platforms = ["linux/amd64", "linux/arm64"]\n[debian]\nessential = []\n',
        "base/core/image.toml": f'from = "{base}"\n[[files]]\nfrom = "x"\nto = "/x"\n',
        "base/core/x": "x",
        "services/api/image.toml": 'from = "core"\n[config]\nuser = "1000"\nenv = {MORE = "1"}\n',
    }
    return write_tree(tmp_path / "ws", files)


def built(ws: Path, name: str, platform: str = "linux/amd64") -> tuple[dict[str, Any], Any]:
    layout = Layout(ws / ".orch/layout")
    manifest = layout.read_json(layout.names()[name][platform])
    return manifest, layout.read_json(manifest["config"]["digest"])


def build(orch: Orch, *arguments: str) -> Ran:
    return orch("build", "--retries", "0", "--progress", "none", *arguments)


def test_a_recipe_stands_on_the_image_that_the_lock_pins(
    orch: Orch, recipes: Path, base: str, tiny: TinyRegistry
) -> None:
    well(orch("lock"))
    publish(tiny.address, "team/base", "1", TWO)
    for platform in ("linux/amd64", "linux/arm64"):
        well(build(orch, "--platform", platform))
        config = built(recipes, "api", platform)[1]
        assert config["rootfs"]["diff_ids"][0] == diff_id_of(ONE)
        assert {"FROM_BASE=yes", "MORE=1"} <= set(config["config"]["Env"])
        assert config["config"]["Cmd"] == ["/bin/base"]
        assert config["config"]["User"] == "1000:1000"
        assert config["architecture"] == platform.partition("/")[2]
        notes = built(recipes, "core", platform)[0]["annotations"]
        assert notes["org.opencontainers.image.base.name"] == base
        assert ("team/base", notes["org.opencontainers.image.base.digest"]) in tiny.manifests


def test_a_moved_pin_rebuilds_the_recipe_on_the_new_image_and_is_explained(
    orch: Orch, recipes: Path, base: str, tiny: TinyRegistry
) -> None:
    well(orch("lock"))
    old = pins(recipes)[base]
    well(build(orch))
    new = publish(tiny.address, "team/base", "1", TWO, platforms=(ARM64, AMD64))
    well(orch("lock", "--upgrade-bases"))
    shown = well(orch("explain", "core")).out
    assert f"external-changed from  {old[7:19]} -> {new[7:19]}" in shown
    (reason,) = well(orch("explain", "core", "--format", "json")).data["images"][0]["reasons"]
    assert (reason["old"], reason["new"]) == (old, new)
    well(build(orch))
    assert built(recipes, "core")[1]["rootfs"]["diff_ids"][0] == diff_id_of(TWO)


def test_what_the_layout_has_of_an_external_image_is_not_fetched_again(
    orch: Orch, recipes: Path, tiny: TinyRegistry
) -> None:
    well(orch("lock"))
    offline = build(orch, "--offline")
    assert offline.code == 1
    assert "--offline forbids fetching it" in offline.err
    well(build(orch))
    tiny.asked.clear()
    write_tree(recipes, {"base/core/x": "another"})
    well(build(orch))
    assert not tiny.asked
    write_tree(recipes, {"base/core/x": "a third"})
    well(build(orch, "--offline"))


def test_a_platform_that_the_external_image_lacks_fails_the_recipe_with_its_name(
    orch: Orch, recipes: Path, tiny: TinyRegistry
) -> None:
    publish(tiny.address, "team/base", "1", ONE, index=True)
    well(orch("lock"))
    ran = build(orch, "--platform", "linux/arm64")
    assert ran.code == 1
    assert "is not there for linux/arm64" in ran.err
    publish(tiny.address, "team/base", "1", ONE)
    well(orch("lock", "--upgrade-bases"))
    ran = build(orch, "--platform", "linux/arm64")
    assert ran.code == 1
    assert "is for linux/amd64, not for linux/arm64" in ran.err


def test_a_recipe_whose_image_cannot_be_pinned_is_unavailable_and_fails_a_strict_lock(
    orch: Orch, recipes: Path, base: str, tiny: TinyRegistry
) -> None:
    tiny.tags.clear()
    locked = orch("lock", "--strict")
    assert locked.code == 3
    assert f"{base} is not pinned, so these are unavailable: core: its registry does" in locked.err
    well(orch("lock", "--check"))
    images = well(orch("plan", "--format", "json")).data["images"]
    assert [image["action"] for image in images] == ["unavailable", "unavailable"]
    assert "not pinned: its registry does not have it; run: orch lock" in images[0]["unavailable"]
    assert build(orch, "core").code == 3


def test_layers_that_are_not_gzip_are_refused(
    orch: Orch, recipes: Path, tiny: TinyRegistry
) -> None:
    publish(tiny.address, "team/base", "1", ONE)
    shutil.rmtree(recipes / ".orch", ignore_errors=True)
    digest = tiny.tags["team/base", "1"]
    media_type, data = tiny.manifests["team/base", digest]
    document = json.loads(data)
    document["layers"][0]["mediaType"] = "application/vnd.oci.image.layer.v1.tar+zstd"
    changed = json.dumps(document).encode()
    tiny.manifests["team/base", digest_of(changed)] = (media_type, changed)
    tiny.tags["team/base", "1"] = digest_of(changed)
    well(orch("lock"))
    ran = build(orch)
    assert ran.code == 1
    assert "layers that are not gzip: application/vnd.oci.image.layer.v1.tar+zstd" in ran.err
