"""A disk that fills up during a build: what takes room is said, and what frees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.engines.buildkit.command import BuildCommand
from orchestrator.engines.buildkit.runs import Runs
from orchestrator.engines.buildkit.shelves import DockerShelf, LayoutShelf, Shelf
from orchestrator.engines.buildkit.staging import Staged
from orchestrator.engines.docker import engine as docker_room
from orchestrator.engines.docker.engine import DockerEngine, EngineSpace
from orchestrator.engines.docker.exchange import Exchange
from orchestrator.errors import OrchError, OutOfSpaceError
from orchestrator.model import ImageSettings
from orchestrator.oci.layout import Layout
from tests.helpers import AMD64, image_of

GB = 1_000_000_000
FAILING = "#!/bin/sh\necho 'ERROR: failed to solve: failed to copy: write /x: {0}'\nexit 1\n"


class Client:
    """Stands for the docker package's client; `told` is what the engine tells of its disk."""

    def __init__(self, told: dict[str, object] | None) -> None:
        self.api = self
        self._told = told

    def version(self) -> dict[str, object]:
        return {"Version": "26.1.5", "ApiVersion": "1.45"}

    def df(self) -> dict[str, object]:
        if self._told is None:
            from docker.errors import APIError  # noqa: PLC0415 - slow to import

            raise APIError("the disk is too full for that")
        return self._told


@pytest.fixture
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> DockerEngine:
    monkeypatch.setattr(docker_room, "_connect", lambda _: Client(request.param))
    return DockerEngine()


TOLD = {
    "LayersSize": 12 * GB,
    "BuildCache": [
        {"Size": 4 * GB, "Shared": False},
        {"Size": GB // 2, "Shared": False},
        {"Size": 12 * GB, "Shared": True},
    ],
}


@pytest.mark.parametrize("engine", [TOLD], indirect=True)
def test_what_cache_and_images_share_is_counted_once(engine: DockerEngine) -> None:
    assert engine.space() == EngineSpace(12 * GB, 4 * GB + GB // 2)


@pytest.mark.parametrize("engine", [{"LayersSize": None, "BuildCache": None}], indirect=True)
def test_an_engine_that_has_built_nothing_takes_no_room(engine: DockerEngine) -> None:
    assert engine.space() == EngineSpace(0, 0)


def failure(folder: Path, shelf: Shelf, why: str) -> OrchError:
    """Return what comes of a build whose buildx says why it failed."""
    buildx = folder / "buildx"
    buildx.write_text(FAILING.format(why))
    buildx.chmod(0o755)
    place = Staged(folder, folder / "Dockerfile")
    command = BuildCommand(ImageSettings(), AMD64, place, "default", {}, folder)
    runs = Runs(folder / "logs", [str(buildx)], shelf)
    with pytest.raises(OrchError) as raised:
        runs.run(image_of("web"), command, folder / "metadata.json")
    return raised.value


def shelf_of(engine: DockerEngine, folder: Path) -> DockerShelf:
    return DockerShelf(engine, Exchange(engine, Layout(folder / "layout")))


@pytest.mark.parametrize("engine", [TOLD], indirect=True)
def test_a_full_disk_s_error_says_what_takes_room_in_docker_and_what_frees_it(
    engine: DockerEngine, tmp_path: Path
) -> None:
    error = failure(tmp_path, shelf_of(engine, tmp_path), "no space left on device")
    assert isinstance(error, OutOfSpaceError)
    assert error.hint == (
        "Docker's images take 12.0 GB, its build cache 4.5 GB; docker builder prune frees the "
        "cache, docker image prune images that lost their tags; "
        "all of its output is in logs/web.log"
    )


@pytest.mark.parametrize("engine", [None], indirect=True)
def test_an_engine_too_full_to_say_what_takes_room_still_has_what_frees_it(
    engine: DockerEngine, tmp_path: Path
) -> None:
    error = failure(tmp_path, shelf_of(engine, tmp_path), "disk quota exceeded")
    assert error.hint.startswith("docker builder prune frees the cache")


def test_another_builder_s_cache_is_freed_by_its_name(tmp_path: Path) -> None:
    shelf = LayoutShelf("far", Layout(tmp_path / "layout"))
    error = failure(tmp_path, shelf, "no space left on device")
    assert error.hint.startswith("docker buildx prune --builder far frees its cache; ")


@pytest.mark.parametrize("engine", [TOLD], indirect=True)
def test_nothing_is_said_of_room_where_the_disk_was_not_full(
    engine: DockerEngine, tmp_path: Path
) -> None:
    error = failure(tmp_path, shelf_of(engine, tmp_path), "permission denied")
    assert not isinstance(error, OutOfSpaceError)
    assert error.hint == "all of its output is in logs/web.log"
