"""The wheels that Dockerfiles wait for: begun ahead, missed by name offline, given up on a stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from orchestrator.app.engines import Engines
from orchestrator.app.opened import Opened
from orchestrator.app.packages import Packages
from orchestrator.app.planning import Planned
from orchestrator.app.remote import RemoteLayers
from orchestrator.engines.assembler.segments import Materials
from orchestrator.errors import FetchError, InterruptedByUserError
from orchestrator.fetch import Downloads
from orchestrator.files import SourceFile
from orchestrator.fingerprint import Fingerprint
from orchestrator.levels import Levels
from orchestrator.lockfile import ImageLock, Lock
from orchestrator.model import LockedDeb, LockedWheel
from orchestrator.plan import Action, Step
from orchestrator.supply import Artifact
from tests.helpers import AMD64, image_of, wheel_of
from tests.wheels import locked, make_wheel

STEP = Step(image_of("api"), AMD64, 0, Action.BUILD, Fingerprint.of([]))


class House:
    """Packages of a build that has one step, from a folder of wheels."""

    def __init__(self, folder: Path, *, offline: bool = False) -> None:
        self.folder = folder
        self.downloads = Downloads(folder / "cache", jobs=1, offline=offline)
        sources = Materials({}, self.deb, self.artifact)
        self.packages = Packages(self.downloads, Levels(), sources)

    def deb(self, deb: LockedDeb) -> Artifact:
        raise AssertionError(deb)

    def artifact(self, wheel: LockedWheel) -> Artifact:
        places = [(self.folder / wheel.file).as_uri()]
        return Artifact(wheel.file, wheel.sha256, wheel.size_bytes, lambda: places)

    def begin(self, *wheels: LockedWheel) -> Callable[[], Sequence[SourceFile]]:
        lock = Lock(images={("api", AMD64): ImageLock((), wheels)})
        planned = cast("Planned", SimpleNamespace(lock=lock, platform=AMD64))
        return self.packages.wheel_contexts(planned, [STEP])["api"]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    with closing(house.downloads):
        yield house


def test_wheels_are_begun_ahead_and_given_by_their_names(house: House) -> None:
    wheel = locked(make_wheel(house.folder, "web"))
    context = house.begin(wheel)
    assert house.downloads.start(house.artifact(wheel)).result().is_file()
    (house.folder / wheel.file).unlink()
    held, requirements = context()
    assert (held.target, held.sha256) == (wheel.file, wheel.sha256)
    assert Path(held.source).read_bytes()
    assert requirements.text == f"web==1.0 --hash=sha256:{wheel.sha256}\n"


def test_offline_all_that_is_missing_is_named_at_the_end(tmp_path: Path) -> None:
    house = House(tmp_path, offline=True)
    with closing(house.downloads):
        context = house.begin(wheel_of("web"), wheel_of("lib"))
        with pytest.raises(FetchError):
            context()
        (said,) = house.packages.warnings()
    assert said.splitlines()[1:] == ["  web-1.0-py3-none-any.whl", "  lib-1.0-py3-none-any.whl"]


def test_a_stop_gives_up_what_dockerfiles_wait_for(house: House) -> None:
    remote = RemoteLayers(cast("Opened", SimpleNamespace()))
    Engines(remote, packages=house.packages).stop()
    with pytest.raises(InterruptedByUserError):
        house.begin(wheel_of("web"))
