"""`orch build` as a user types it, when all is well."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.e2e.monorepo import IMAGES, TIMEOUT_S, Monorepo


def test_every_image_is_built_and_named(repo: Monorepo) -> None:
    images = repo.build()
    assert {name: image["status"] for name, image in images.items()} == dict.fromkeys(
        IMAGES, "built"
    )
    index = json.loads((repo.layout / "index.json").read_text())
    named = {
        entry["annotations"]["org.opencontainers.image.ref.name"]: entry["digest"]
        for entry in index["manifests"]
    }
    assert named == {name: image["digest"] for name, image in images.items()}
    repo.check_intact()


def test_a_second_build_reuses_everything(repo: Monorepo) -> None:
    first = repo.build()
    asked = len(repo.server.requests)
    second = repo.build()
    assert {image["status"] for image in second.values()} == {"reused"}
    assert [image["digest"] for image in second.values()] == [
        image["digest"] for image in first.values()
    ]
    assert all(layer["reused"] for image in second.values() for layer in image["layers"])
    assert len(repo.server.requests) == asked


def test_only_what_a_change_reaches_is_built(repo: Monorepo) -> None:
    repo.build()
    repo.write("services/api/app/main.py", "print('changed')\n")
    images = repo.build()
    assert {n: i["status"] for n, i in images.items()} == {
        **dict.fromkeys(IMAGES, "reused"),
        "api": "built",
    }
    assert images["api"]["because"].startswith("file-changed app/main.py")
    assert [layer["reused"] for layer in images["api"]["layers"]][-1:] == [False]
    assert all(layer["reused"] for layer in images["api"]["layers"][:-1])


def test_a_base_change_reaches_all_that_stands_on_it(repo: Monorepo) -> None:
    repo.build()
    recipe = repo.path("base/web/image.toml")
    recipe.write_text(recipe.read_text() + '[config.env]\nMODE = "new"\n')
    statuses = {name: image["status"] for name, image in repo.build().items()}
    assert statuses == {"root": "reused", "web": "built", "api": "built", "job": "reused"}


def test_naming_an_image_builds_it_and_what_it_stands_on(repo: Monorepo) -> None:
    assert [*repo.build("web")] == ["root", "web"]
    assert [*repo.build("j*")] == ["root", "job"]
    assert [*repo.build("root", "--with-dependents")] == ["root", "web", "api", "job"]


def test_plan_says_what_build_does_and_writes_nothing(repo: Monorepo) -> None:
    before = sorted(path for path in repo.home.rglob("*") if path.is_file())
    done = repo.orch("plan", "--format", "json")
    assert sorted(path for path in repo.home.rglob("*") if path.is_file()) == before
    steps = json.loads(done.stdout)["images"]
    assert {step["name"]: step["action"] for step in steps} == dict.fromkeys(IMAGES, "build")
    assert {reason["code"] for step in steps for reason in step["reasons"]} == {"never-built"}
    images = repo.build()
    assert {step["name"]: step["fingerprint"] for step in steps} == {
        name: image["fingerprint"] for name, image in images.items()
    }


def test_dry_run_shows_the_plan(repo: Monorepo) -> None:
    assert repo.orch("build", "--dry-run").stdout == repo.orch("plan").stdout
    assert not repo.layout.exists()


def test_force_builds_again_and_gives_the_same(repo: Monorepo) -> None:
    before = repo.digests()
    images = repo.build("--force")
    assert {image["status"] for image in images.values()} == {"built"}
    assert {name: image["digest"] for name, image in images.items()} == before


def test_the_report_says_all_that_the_contract_promises(repo: Monorepo) -> None:
    repo.build()
    report = json.loads((repo.home / "report.json").read_text())
    assert {"schema", "ok", "started", "duration_s", "images"} <= report.keys()
    assert report["schema"] == "orch.build/1"
    assert report["ok"] is True
    for image in report["images"]:
        assert {
            *("name", "status", "because", "fingerprint", "digest", "size_bytes"),
            *("unpacked_bytes", "duration_s", "attempts", "layers", "error"),
        } <= image.keys()
        assert image["error"] is None
        assert image["size_bytes"] > sum(layer["size_bytes"] for layer in image["layers"]) > 0
        for layer in image["layers"]:
            assert {"digest", "diff_id", "size_bytes", "what", "reused"} <= layer.keys()


def test_a_lost_layout_is_made_again(repo: Monorepo) -> None:
    before = repo.digests()
    (repo.layout / "blobs/sha256" / before["web"].removeprefix("sha256:")).unlink()
    images = repo.build()
    assert images["web"]["status"] == "built"
    assert {name: image["digest"] for name, image in images.items()} == before


def test_offline_builds_from_the_cache_alone(repo: Monorepo) -> None:
    images = repo.build("--offline", code=1)
    assert "--offline forbids fetching" in images["root"]["error"]["message"]
    before = repo.digests()
    for folder in (".orch", "../cache/blobs", "../cache/layers", "../cache/segments"):
        subprocess.run(["rm", "-r", repo.path(folder)], check=True)
    asked = len(repo.server.requests)
    assert repo.digests("--offline") == before
    assert len(repo.server.requests) == asked


def test_another_platform_is_built_beside_this_one(repo: Monorepo) -> None:
    amd64 = repo.digests("--platform", "linux/amd64")
    arm64 = repo.digests("--platform", "linux/arm64")
    assert not set(amd64.values()) & set(arm64.values())
    index = json.loads((repo.layout / "index.json").read_text())
    for entry in index["manifests"]:
        name = entry["annotations"]["org.opencontainers.image.ref.name"]
        blob = repo.layout / "blobs" / entry["digest"].replace(":", "/")
        found = {
            item["platform"]["architecture"]: item["digest"]
            for item in json.loads(blob.read_text())["manifests"]
        }
        assert found == {"amd64": amd64[name], "arm64": arm64[name]}
    repo.check_intact()


def test_the_module_is_the_command(repo: Monorepo) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", "-C", repo.root, "graph"],
        env=repo.environment(PYTHONPATH=os.pathsep.join(sys.path)),
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT_S,
    )
    assert done.stdout == repo.orch("graph").stdout
