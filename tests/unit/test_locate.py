"""Where files of the lock can be fetched from: remembered, asked once, and never in the lock."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from orchestrator.errors import UnavailableError
from orchestrator.model import LockedDeb, LockedWheel
from orchestrator.resolve.debian import DebianArchive
from orchestrator.resolve.python.indexes import Indexes
from orchestrator.resolve.python.offered import DistributionFile, Target
from orchestrator.resolve.python.uv import IndexesError, NoSolutionError, Uv
from orchestrator.wheelhouse.locate import WheelPlaces, deb_artifact, measure_files
from tests.helpers import wheel_of
from tests.houses import TARGET, House
from tests.wheels import locked


@dataclass
class CountingUv:
    """Passes questions on and counts them."""

    uv: Uv
    asked: list[dict[str, str]] = field(default_factory=list)

    def find_files(
        self, pins: dict[str, str], target: Target
    ) -> dict[str, tuple[DistributionFile, ...]]:
        self.asked.append(dict(pins))
        return self.uv.find_files(pins, target)


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path)
    house.add("alpha 1.0", "beta 1.0")
    return house


@pytest.fixture
def uv(house: House) -> CountingUv:
    return CountingUv(house.uv())


Places = Callable[..., WheelPlaces]


@pytest.fixture
def places(tmp_path: Path, uv: CountingUv) -> Places:
    def make(*wanted: LockedWheel) -> WheelPlaces:
        return WheelPlaces(
            tmp_path / "places.json",
            lambda: cast("Uv", uv),
            lambda: [(TARGET, wheel) for wheel in wanted],
        )

    return make


def wheel(house: House, name: str) -> LockedWheel:
    return locked(house.wheels / f"{name}-1.0-py3-none-any.whl")


def test_all_wheels_are_asked_for_together_and_once(
    house: House, places: Places, uv: CountingUv
) -> None:
    alpha, beta = wheel(house, "alpha"), wheel(house, "beta")
    found = places(alpha, beta)
    assert found.artifact(alpha).locate() == ((house.wheels / alpha.file).as_uri(),)
    assert found.artifact(beta).locate() == ((house.wheels / beta.file).as_uri(),)
    assert uv.asked == [{"alpha": "1.0", "beta": "1.0"}]


def test_what_was_found_is_remembered_for_later_builds(
    house: House, places: Places, uv: CountingUv
) -> None:
    alpha = wheel(house, "alpha")
    places(alpha).artifact(alpha).locate()
    places(alpha).artifact(alpha).locate()
    assert len(uv.asked) == 1


def test_a_remembered_file_that_is_gone_is_asked_for_again(
    house: House, places: Places, uv: CountingUv
) -> None:
    alpha = wheel(house, "alpha")
    gone = DistributionFile("alpha", "1.0", alpha.file, alpha.sha256, "file:///no/such/file")
    places().remember([gone])
    assert places(alpha).artifact(alpha).locate() == ((house.wheels / alpha.file).as_uri(),)


def test_an_artifact_is_the_file_that_the_lock_names(house: House, places: Places) -> None:
    alpha = wheel(house, "alpha")
    artifact = places().artifact(alpha)
    assert (artifact.name, artifact.sha256, artifact.size_bytes) == (
        alpha.file,
        alpha.sha256,
        alpha.size_bytes,
    )
    assert "orch lock --upgrade alpha" in artifact.gone_hint


def test_a_wheel_that_nobody_has_is_unavailable_and_the_others_are_found(
    house: House, places: Places
) -> None:
    alpha, gone = wheel(house, "alpha"), wheel_of("gone")
    found = places(gone, alpha)
    with pytest.raises(UnavailableError, match=gone.file) as caught:
        found.artifact(gone).locate()
    assert "find-links" in caught.value.hint
    assert found.artifact(alpha).locate()


def test_a_file_of_the_same_name_and_other_content_is_not_the_wheel(
    house: House, places: Places
) -> None:
    alpha = wheel_of("alpha", "1.0")
    with pytest.raises(UnavailableError):
        places(alpha).artifact(alpha).locate()


@pytest.mark.parametrize("text", ["", "[]", "{", '"x"'])
def test_a_damaged_memory_is_no_memory(
    house: House, places: Places, tmp_path: Path, text: str
) -> None:
    (tmp_path / "places.json").write_text(text)
    alpha = wheel(house, "alpha")
    assert places(alpha).artifact(alpha).locate()
    assert alpha.sha256 in json.loads((tmp_path / "places.json").read_text())


def test_what_another_build_found_meanwhile_is_kept(
    house: House, places: Places, tmp_path: Path
) -> None:
    first, second = places(), places()
    first.remember([DistributionFile("a", "1", "a.whl", "aa", "https://example.com/a.whl")])
    second.remember([DistributionFile("b", "1", "b.whl", "bb", "https://example.com/b.whl")])
    assert set(json.loads((tmp_path / "places.json").read_text())) == {"aa", "bb"}


class FakeArchive:
    def mirrors(self) -> tuple[str, ...]:
        return ("https://one.example.com/debian/", "https://two.example.com/security")

    def snapshot_urls(self, path: str, date: str) -> tuple[str, ...]:
        return (f"https://snapshot.example.com/{date}/{path}",)


def test_a_deb_comes_from_mirrors_and_then_from_snapshots_newest_first() -> None:
    deb = LockedDeb("x", "1.0-1", "amd64", "aa", 5, "pool/x.deb")
    dates = {"bookworm": "2026-01-01", "bookworm-updates": "2026-02-02"}
    archive = cast("DebianArchive", FakeArchive())
    artifact = deb_artifact(deb, lambda: archive, dates)
    assert (artifact.name, artifact.sha256, artifact.size_bytes) == ("x 1.0-1", "aa", 5)
    assert [*artifact.locate(), *artifact.fallback()] == [
        "https://one.example.com/debian/pool/x.deb",
        "https://two.example.com/security/pool/x.deb",
        "https://snapshot.example.com/2026-02-02/pool/x.deb",
        "https://snapshot.example.com/2026-01-01/pool/x.deb",
    ]
    assert "--relock-missing" in artifact.gone_hint


def test_the_archive_is_opened_only_when_a_file_must_be_fetched() -> None:
    def unwanted() -> DebianArchive:
        raise AssertionError("opened")

    deb_artifact(LockedDeb("x", "1", "amd64", "aa", 5, "pool/x.deb"), unwanted, {})


def test_sizes_of_files_are_measured_where_the_index_tells_none(house: House) -> None:
    file = house.wheels / "alpha-1.0-py3-none-any.whl"
    unknown = DistributionFile("alpha", "1.0", file.name, "aa", file.as_uri())
    known = DistributionFile("b", "1.0", "b.whl", "bb", "https://example.com/b.whl", 7)
    assert measure_files([unknown, known]) == {file.as_uri(): file.stat().st_size}


def test_an_error_of_one_question_is_not_raised(house: House, places: Places) -> None:
    with pytest.raises(NoSolutionError):
        house.uv().find_files({"gone": "1.0"}, TARGET)
    with pytest.raises(UnavailableError):
        places(wheel_of("gone")).artifact(wheel_of("gone")).locate()


def test_indexes_that_are_out_of_reach_are_said_to_be_that_and_asked_once(
    house: House, tmp_path: Path
) -> None:
    nowhere = Indexes("http://127.0.0.1:1/simple", (), ())
    asked: list[Uv] = []

    def uv() -> Uv:
        asked.append(Uv(nowhere, tmp_path / "uv-cache"))
        return asked[-1]

    wanted = (wheel_of("one"), wheel_of("two"))
    places = WheelPlaces(tmp_path / "places.json", uv, lambda: [(TARGET, w) for w in wanted])
    for one in wanted:
        with pytest.raises(IndexesError, match="Failed to fetch") as raised:
            places.artifact(one).locate()
        assert "try again later" in raised.value.hint
    assert len(asked) == 1
