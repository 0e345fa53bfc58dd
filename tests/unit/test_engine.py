"""The assembler on a whole workspace: what it builds again, and that it builds the same."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engines.assembler import clashes, store
from orchestrator.engines.assembler.jobs import Workers
from orchestrator.lockfile import ImageLock
from orchestrator.model import LockedWheel
from tests.helpers import write_tree
from tests.tiny import AMD64, Tiny, digests, statuses
from tests.wheels import make_wheel

NAMES = {"python-base", "python-web", "api", "worker"}
Make = Callable[..., Tiny]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Return a maker of workspaces by name; the last one made has the cache in use."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    for name in [name for name in os.environ if name.startswith("PIP_") and name[4:8] != "CONF"]:
        monkeypatch.delenv(name)

    def make(name: str = "ws", cache: str = "cache") -> Tiny:
        monkeypatch.setenv("ORCH_CACHE", str(tmp_path / cache))
        return Tiny.make(tmp_path / name, tmp_path / "sources", tmp_path / cache)

    return make


@pytest.fixture
def tiny(make: Make) -> Tiny:
    return make()


def built(statuses_: dict[str, str]) -> set[str]:
    return {name for name, status in statuses_.items() if status == "built"}


def own_layers(tiny: Tiny, name: str, parent: str) -> list[str]:
    names = tiny.layout.names()
    held = [tiny.layout.read_image(names[item]["linux/amd64"])[0] for item in (name, parent)]
    return [layer.digest for layer in held[0] if layer not in held[1]]


def files_of(tiny: Tiny, name: str) -> dict[str, tarfile.TarInfo]:
    """Return what a running container of an image would see, upper layers over lower ones."""
    layers, _ = tiny.layout.read_image(tiny.layout.names()[name]["linux/amd64"])
    found: dict[str, tarfile.TarInfo] = {}
    for layer in layers:
        blob = tiny.layout.blob_path(layer.digest).read_bytes()
        with tarfile.open(fileobj=io.BytesIO(blob), mode="r:gz") as archive:
            found |= {info.name: info for info in archive}
    return found


def config(tiny: Tiny, name: str) -> dict[str, Any]:
    return tiny.layout.read_image(tiny.layout.names()[name]["linux/amd64"])[1]


def test_a_build_killed_before_it_named_its_images_has_them_named_by_the_next(tiny: Tiny) -> None:
    made = digests(tiny.build())
    index = tiny.layout.folder / "index.json"
    index.unlink()
    assert set(statuses(tiny.build()).values()) == {"reused"}
    assert {name: found["linux/amd64"] for name, found in tiny.layout.names().items()} == made
    before = index.stat().st_mtime_ns
    tiny.build()
    assert index.stat().st_mtime_ns == before, "with nothing to do nothing is written"


def test_the_first_build_builds_all_and_the_second_nothing(tiny: Tiny) -> None:
    first, second = tiny.build(), tiny.build()
    assert built(statuses(first)) == NAMES
    assert set(statuses(second).values()) == {"reused"}
    assert digests(first) == digests(second)
    assert {name: held["linux/amd64"] for name, held in tiny.layout.names().items()} == digests(
        first
    )


def test_an_image_holds_what_it_and_its_ancestors_add(tiny: Tiny) -> None:
    tiny.build()
    files = files_of(tiny, "api")
    site = f"opt/venv/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    for path in (
        "usr/lib/x86_64-linux-gnu/libc.so.6",
        "etc/passwd",
        f"{site}/alpha/__init__.py",
        f"{site}/client.py",
        f"{site}/__pycache__/client.{sys.implementation.cache_tag}.pyc",
        "opt/venv/bin/python",
        "app/main.py",
    ):
        assert path in files
    assert files["tmp"].mode == 0o1777
    assert (files["app/main.py"].uid, files["app/main.py"].gid) == (1000, 1000)
    assert f"{site}/client.py" not in files_of(tiny, "worker")


def test_no_layer_holds_a_path_twice(tiny: Tiny) -> None:
    tiny.build()
    for blob in (tiny.cache / "blobs").iterdir():
        with tarfile.open(blob) as archive:
            names = archive.getnames()
        assert len(set(names)) == len(names)


def test_the_configuration_is_handed_down_and_changed(tiny: Tiny) -> None:
    tiny.build()
    api, worker = config(tiny, "api"), config(tiny, "worker")
    assert (api["Entrypoint"], "Cmd" in api) == (["python", "main.py"], False)
    assert (worker["Entrypoint"], worker["Cmd"]) == (["base"], ["x"])
    assert api["WorkingDir"] == "/app"
    assert api["User"] == "1000:1000"
    assert "PATH=/opt/venv/bin:" in " ".join(api["Env"])


def test_one_changed_file_builds_that_service_alone(tiny: Tiny) -> None:
    before = tiny.build()
    (tiny.root / "services/api/app/main.py").write_text("print('api 2')\n")
    run = tiny.build()
    assert built(statuses(run)) == {"api"}
    assert digests(run)["api"] != digests(before)["api"]
    made = run.outcomes["api"].made
    assert made is not None
    assert len(made.layers) - len(made.reused_layers) == 1


def test_a_wheel_more_in_the_base_costs_its_dependents_no_layer(tiny: Tiny) -> None:
    tiny.build()
    own = own_layers(tiny, "api", "python-web"), own_layers(tiny, "worker", "python-base")
    tiny.add_wheel("python-base", tiny.wheel("omega", {"omega.py": b"\n"}))
    run = tiny.build()
    assert built(statuses(run)) == NAMES
    assert own == (own_layers(tiny, "api", "python-web"), own_layers(tiny, "worker", "python-base"))
    made = run.outcomes["worker"].made
    assert made is not None
    assert set(own[1]) <= made.reused_layers


def test_a_library_more_in_the_base_costs_its_dependents_no_layer(tiny: Tiny) -> None:
    tiny.build()
    own = own_layers(tiny, "worker", "python-base")
    adds = tiny.adds["python-base"]
    deb = tiny.deb("libnew1", {"usr/share/libnew1/x": b"x"})
    tiny.adds["python-base"] = type(adds)((*adds.debs, deb), adds.wheels)
    tiny.lock()
    tiny.build()
    assert own_layers(tiny, "worker", "python-base") == own


def test_processes_give_the_same_digests_as_one(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = digests(make("one", "cache-1").build(jobs=1))
    monkeypatch.setattr(Workers, "WORTH_STARTING_BYTES", 0)
    assert digests(make("four", "cache-4").build(jobs=4)) == alone


def test_no_setting_of_the_machine_reaches_a_digest(make: Make, tmp_path: Path) -> None:
    here = digests(make("here", "cache-1").build())
    there = make("another/and/longer/path", "cache-2")
    (there.root / "services/api/app/main.py").chmod(0o600)
    program = "import os; os.umask(0o077); from orchestrator.cli import main; main()"
    report = tmp_path / "report.json"
    command = [sys.executable, "-c", program, "-C", str(there.root), "build", "--offline"]
    settings = {"TZ": "Asia/Tokyo", "HOME": str(tmp_path), "PYTHONHASHSEED": "7", "LC_ALL": "C"}
    env = {**os.environ, **settings, "LANG": "tr_TR.UTF-8", "SOURCE_DATE_EPOCH": "5"}
    shutil.copytree(tmp_path / "cache-1/downloads", tmp_path / "cache-2/downloads")
    subprocess.run(
        [*command, "--report", str(report)], env=env, check=True, capture_output=True, cwd="/"
    )
    images = json.loads(report.read_text())["images"]
    assert {image["name"]: image["digest"] for image in images} == here


@pytest.mark.parametrize("blob", ["layer", "config", "manifest"])
def test_a_lost_blob_is_made_again_with_the_same_digest(tiny: Tiny, blob: str) -> None:
    before = digests(tiny.build())
    manifest = tiny.layout.read_json(before["worker"])
    lost = {
        "layer": manifest["layers"][-1]["digest"],
        "config": manifest["config"]["digest"],
        "manifest": before["worker"],
    }
    tiny.layout.blob_path(lost[blob]).unlink()
    run = tiny.build()
    assert built(statuses(run)) == {"worker"}
    assert run.outcomes["worker"].step.reasons[0].code == "image-missing"
    assert digests(run) == before
    assert tiny.layout.has_image(before["worker"])


def test_a_lost_layout_is_made_again_with_the_same_digests(tiny: Tiny) -> None:
    before = digests(tiny.build())
    shutil.rmtree(tiny.root / ".orch/layout")
    assert digests(tiny.build()) == before
    assert set(tiny.layout.names()) == NAMES


def test_a_lost_cache_costs_time_and_no_digest(tiny: Tiny) -> None:
    before = digests(tiny.build())
    shutil.rmtree(tiny.cache)
    assert set(statuses(tiny.build()).values()) == {"reused"}
    shutil.rmtree(tiny.root / ".orch")
    run = tiny.build()
    assert built(statuses(run)) == NAMES
    assert digests(run) == before


def test_a_service_is_built_though_the_cache_forgot_its_bases(tiny: Tiny) -> None:
    tiny.build()
    source = tiny.root / "services/api/app/main.py"
    source.write_text("print('api 2')\n")
    wanted = digests(tiny.build())
    source.write_text("print('api 3')\n")
    tiny.build()
    source.write_text("print('api 2')\n")
    shutil.rmtree(tiny.cache)
    store._read_info.cache_clear()  # as in a new process
    clashes._read_paths.cache_clear()
    run = tiny.build()
    assert built(statuses(run)) == {"api"}
    assert digests(run) == wanted


@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_a_damaged_segment_fails_clearly_and_is_made_anew(tiny: Tiny, damage: str) -> None:
    before = digests(tiny.build())
    shutil.rmtree(tiny.root / ".orch")
    shutil.rmtree(tiny.cache / "layers")
    for segment in (tiny.cache / "segments").rglob("*.gz"):
        data = segment.read_bytes()
        half = len(data) // 2
        flipped = data[:half] + bytes([data[half] ^ 0xFF]) + data[half + 1 :]
        segment.write_bytes({"flip": flipped, "cut": data[:-8], "empty": b""}[damage])
    error = tiny.build().outcomes["python-base"].error
    assert error is not None
    assert "damaged" in error.message
    assert "build again" in error.hint
    runs = [tiny.build() for _ in range(7)]
    assert digests(runs[-1]) == before


def test_a_damaged_download_is_fetched_again(tiny: Tiny) -> None:
    before = digests(tiny.build())
    for name in ("segments", "layers", "blobs"):
        shutil.rmtree(tiny.cache / name)
    shutil.rmtree(tiny.root / ".orch")
    for download in (tiny.cache / "downloads").rglob("*"):
        if download.is_file():
            download.write_bytes(b"x" * download.stat().st_size)
    assert digests(tiny.build()) == before


def test_offline_everything_comes_from_the_cache(tiny: Tiny) -> None:
    before = digests(tiny.build())
    shutil.rmtree(tiny.root / ".orch")
    shutil.rmtree(tiny.sources)
    for name in ("segments", "layers", "blobs"):
        shutil.rmtree(tiny.cache / name)
    assert digests(tiny.build(offline=True)) == before


def test_a_vanished_package_stops_only_what_stands_on_it(tiny: Tiny) -> None:
    adds = tiny.adds["python-web"]
    gone = tiny.deb("gone", {"usr/share/gone": b""})
    (tiny.sources / "mirror" / gone.path).unlink()
    tiny.adds["python-web"] = type(adds)((gone,), adds.wheels)
    tiny.lock()
    run = tiny.build()
    assert statuses(run) == {
        "python-base": "built",
        "worker": "built",
        "python-web": "failed",
        "api": "skipped",
    }
    error = run.outcomes["python-web"].error
    assert error is not None
    assert "gone 1.0 cannot be fetched" in error.message
    assert not run.ok


def test_a_wheel_that_no_place_has_is_unavailable(tiny: Tiny) -> None:
    wheel = tiny.wheel("gone", {})
    (tiny.sources / "wheels" / wheel.file).unlink()
    tiny.add_wheel("api", wheel)
    run = tiny.build()
    assert statuses(run)["api"] == "unavailable"
    assert built(statuses(run)) == NAMES - {"api"}


def test_a_wheel_that_the_image_cannot_load_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    make_wheel(tmp_path, "arm", tag="cp311-cp311-manylinux_2_17_aarch64")
    tiny.add_wheel("api", tiny.wheel("arm", {}, "cp39-cp39-manylinux_2_17_aarch64"))
    error = tiny.build().outcomes["api"].error
    assert error is not None
    assert "arm-1.0-cp39-cp39-manylinux_2_17_aarch64.whl does not fit linux/amd64" in error.message


def test_wheels_that_clash_name_each_other_and_a_winner_settles_it(tiny: Tiny) -> None:
    tiny.add_wheel("api", tiny.wheel("one", {"pkg/x.py": b"1"}))
    tiny.add_wheel("api", tiny.wheel("two", {"pkg/x.py": b"22"}))
    error = tiny.build().outcomes["api"].error
    assert error is not None
    assert "pkg/x.py" in error.message
    recipe = tiny.root / "services/api/image.toml"
    recipe.write_text(recipe.read_text() + '[python]\nprefer = { "pkg/x.py" = "one" }\n')
    tiny.lock()
    assert tiny.build().ok
    sizes = {path.rpartition("/")[2]: info.size for path, info in files_of(tiny, "api").items()}
    assert sizes["x.py"] == 1


def test_a_fetched_file_gets_a_layer_of_its_own(tiny: Tiny, tmp_path: Path) -> None:
    wheel: LockedWheel = tiny.wheel("model", {"m.bin": b"weights"})
    recipe = tiny.root / "services/worker/image.toml"
    url = (tiny.sources / "wheels" / wheel.file).as_uri()
    fetch = f'[[fetch]]\nurl = "{url}"\nsha256 = "{wheel.sha256}"\nto = "/models/m.whl"\n'
    recipe.write_text(recipe.read_text() + fetch)
    tiny.lock()
    assert tiny.build().ok
    assert files_of(tiny, "worker")["models/m.whl"].size == wheel.size_bytes
    layers, _ = tiny.layout.read_image(tiny.layout.names()["worker"][AMD64.key])
    assert "/models/m.whl" in [layer.what for layer in layers]


def test_where_no_package_makes_bin_a_link_a_file_may_lie_there(tiny: Tiny) -> None:
    recipe = 'from = "debian:bookworm"\n[[files]]\nfrom = "tool"\nto = "/bin/tool"\n'
    write_tree(tiny.root, {"base/bare/image.toml": recipe, "base/bare/tool": "x"})
    tiny.adds["bare"] = ImageLock()
    tiny.lock()
    assert tiny.build().ok
    assert files_of(tiny, "bare")["bin/tool"].size == 1


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (["/bin/tool"], "/bin/tool would hide what is in /bin, which is a link to usr/bin"),
        (["/x", "/x/y"], "[[files]] make /x a file, and a folder with /x/y in it"),
    ],
)
def test_a_file_that_would_hide_what_lies_below_is_refused(
    tiny: Tiny, targets: list[str], said: str
) -> None:
    recipe = tiny.root / "services/worker/image.toml"
    tables = [f'[[files]]\nfrom = "main.py"\nto = "{target}"\n' for target in targets]
    recipe.write_text(recipe.read_text() + "".join(tables))
    run = tiny.build()
    assert {name for name, status in statuses(run).items() if status == "failed"} == {"worker"}
    (error,) = [outcome.error for outcome in run.outcomes.values() if outcome.error]
    assert error.message == said
