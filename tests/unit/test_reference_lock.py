"""What a moved pin of the reference tree reaches: the images that hold it, and theirs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.app.fingerprinting import fingerprint_images
from orchestrator.app.opened import Opened, open_workspace, read_lock
from orchestrator.lockfile import Lock
from orchestrator.model import LockedWheel
from orchestrator.resolve.inputs import check_lock
from tests.helpers import AMD64

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def opened() -> Opened:
    return open_workspace(REPOSITORY)


@pytest.fixture(scope="module")
def lock(opened: Opened) -> Lock:
    return read_lock(opened)


def moved(lock: Lock, name: str) -> Lock:
    """Return the lock with other bytes of a package, wherever it is held."""

    def move(wheel: LockedWheel) -> LockedWheel:
        return replace(wheel, version="99", sha256="0" * 64) if wheel.name == name else wheel

    images = {
        key: replace(adds, wheels=tuple(move(wheel) for wheel in adds.wheels))
        for key, adds in lock.images.items()
    }
    return replace(lock, images=images)


def reached(opened: Opened, lock: Lock, name: str) -> set[str]:
    before = fingerprint_images(opened, lock, AMD64, opened.graph.images).prints
    after = fingerprint_images(opened, moved(lock, name), AMD64, opened.graph.images).prints
    return {image for image in before if before[image].digest != after[image].digest}


def test_the_lock_answers_what_the_tree_asks_for(opened: Opened, lock: Lock) -> None:
    for platform in opened.workspace.settings.platforms:
        check_lock(opened.workspace, opened.graph, lock, platform)


def test_a_pin_that_audio_alone_holds_reaches_audio_alone(opened: Opened, lock: Lock) -> None:
    assert reached(opened, lock, "prometheus-client") == {"audio"}


def test_a_pin_of_python_ml_reaches_its_dependents_and_nothing_of_web(
    opened: Opened, lock: Lock
) -> None:
    assert reached(opened, lock, "safetensors") == set(opened.graph.descendants(["python-ml"]))


def test_a_pin_of_the_root_reaches_every_image(opened: Opened, lock: Lock) -> None:
    assert reached(opened, lock, "uvicorn") == set(opened.graph.images)


def test_a_child_locks_only_what_its_ancestors_lack(opened: Opened, lock: Lock) -> None:
    for name in opened.graph.images:
        adds = [lock.image(image.name, AMD64) for image in opened.graph.chain(name)]
        debs = [deb.name for part in adds for deb in part.debs]
        wheels = [wheel.name for part in adds for wheel in part.wheels]
        assert len(debs) == len(set(debs))
        assert len(wheels) == len(set(wheels))


def test_every_image_has_the_same_version_of_a_package(lock: Lock) -> None:
    for platform in {platform for _, platform in lock.images}:
        versions: dict[str, str] = {}
        for (_, locked_for), adds in lock.images.items():
            for wheel in adds.wheels if locked_for == platform else ():
                assert versions.setdefault(wheel.name, wheel.version) == wheel.version


def test_the_lock_names_no_host() -> None:
    assert "://" not in (REPOSITORY / "orch.lock").read_text("utf-8")
