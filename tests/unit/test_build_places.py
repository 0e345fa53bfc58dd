"""Where wheels are built: the order of places, what falls to the next, and what is said."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn

import pytest

from orchestrator.engines.docker.wheel_place import ContainerPlace
from orchestrator.errors import ArtifactError, ExitCode, MissingToolError, UnavailableError
from orchestrator.model import WheelBuild, WheelSettings
from orchestrator.resolve.python.offered import Target
from orchestrator.wheelhouse.places import BuildPlace, Ingredients, Work
from orchestrator.wheelhouse.running import Builds
from orchestrator.wheelhouse.toolchain import SHARED, Toolchain, find_toolchain
from tests.sdists import TARGET, Shop, make_buildable
from tests.wheels import make_wheel

_NO_HEADER = "fatal error: libpq-fe.h: No such file or directory"


@dataclass
class FakePlace:
    """A place that does as it is told; what it builds differs by its name."""

    name: str
    reason: UnavailableError | None = None
    doubt: str = ""
    log: str = ""
    builds: int = 0
    where: str = field(init=False)

    def __post_init__(self) -> None:
        self.where = f"in {self.name}"

    def find(self, build: WheelBuild, target: Target, asked: WheelSettings) -> Toolchain:
        if self.reason:
            raise self.reason
        return Toolchain(Path("python"), "CPython", f"cc of {self.name}", self.doubt)

    def run(self, given: Ingredients, work: Work, builds: Builds) -> bool:
        self.builds += 1
        work.add(self.log)
        if not self.log:
            make_wheel(work.out, "native", files={"by.txt": self.name.encode()})
        return not self.log

    def remedy(self, packages: Sequence[str]) -> str:
        return f"install {' '.join(packages)}"


@pytest.fixture
def make_shop(tmp_path: Path) -> Iterator[Callable[..., Shop]]:
    opened: list[Shop] = []

    def make(*places: BuildPlace) -> Shop:
        opened.append(Shop(tmp_path / "shop", build_in=places))
        return opened[-1]

    yield make
    for shop in opened:
        shop.downloads.close()


@pytest.fixture
def sdist(tmp_path: Path) -> Path:
    return make_buildable(tmp_path)


def lacking(what: str) -> UnavailableError:
    return UnavailableError(f"it has no {what}", hint=f"get {what}; {SHARED}")


def test_the_first_place_is_taken_and_the_next_is_not_asked(
    make_shop: Callable[..., Shop], sdist: Path
) -> None:
    here, there = FakePlace("here"), FakePlace("there")
    make_shop(here, there).make(sdist)
    assert (here.builds, there.builds) == (1, 0)


@pytest.mark.parametrize(
    "first",
    [
        FakePlace("here", reason=lacking("Python")),
        FakePlace("here", doubt="there is no cc"),
        FakePlace("here", log=_NO_HEADER),
    ],
    ids=["impossible", "in doubt", "lacking"],
)
def test_the_next_place_is_taken_where_the_first_will_not_do(
    make_shop: Callable[..., Shop], sdist: Path, first: FakePlace
) -> None:
    there = FakePlace("there")
    shop = make_shop(first, there)
    shop.make(sdist)
    assert there.builds == 1
    assert shop.said[-1] == "building native 1.0 in there with cc of there"


def test_a_place_in_doubt_is_taken_where_there_is_no_other(
    make_shop: Callable[..., Shop], sdist: Path
) -> None:
    here = FakePlace("here", doubt="there is no cc")
    make_shop(here, FakePlace("there", reason=lacking("engine"))).make(sdist)
    assert here.builds == 1


def test_an_sdist_that_does_not_build_is_not_tried_elsewhere(
    make_shop: Callable[..., Shop], sdist: Path
) -> None:
    there = FakePlace("there")
    with pytest.raises(ArtifactError, match=r"the build of native 1\.0 failed"):
        make_shop(FakePlace("here", log="error: broken"), there).make(sdist)
    assert there.builds == 0


def test_where_no_place_will_do_the_error_says_what_each_lacks(
    make_shop: Callable[..., Shop], sdist: Path
) -> None:
    here = FakePlace("here", doubt="no cc", log=_NO_HEADER)
    with pytest.raises(UnavailableError) as caught:
        make_shop(here, FakePlace("there", reason=lacking("engine"))).make(sdist)
    error = caught.value
    assert error.exit_code is ExitCode.MISSING_TOOL
    first, second, third, *_ = error.message.splitlines()
    assert first == "native 1.0 can be built neither in here nor in there:"
    assert second.startswith("  in here: building native 1.0 needs what here lacks: PostgreSQL's")
    assert _NO_HEADER in third or _NO_HEADER in error.message
    assert error.message.endswith("\n  in there: it has no engine")
    assert "in here: PostgreSQL's headers: add system" in error.hint
    assert "then install libpq-dev; in there: get engine; or take" in error.hint
    assert error.hint.count(SHARED) == 1


def test_the_only_place_there_is_says_itself_what_it_lacks(
    make_shop: Callable[..., Shop], sdist: Path
) -> None:
    with pytest.raises(UnavailableError) as caught:
        make_shop(FakePlace("there", reason=lacking("engine"))).make(sdist)
    assert caught.value.message == "building native 1.0 in there: it has no engine"


def test_what_the_lock_records_is_found_in_the_place_whose_compiler_gives_it(
    make_shop: Callable[..., Shop], sdist: Path
) -> None:
    there = FakePlace("there")
    wheel = make_shop(there).make(sdist)
    shop = make_shop(FakePlace("here"), there)
    build = replace(shop.build(sdist), wheel=wheel, compiler="cc of there")
    shop.path(wheel).unlink()
    assert shop.workshop.artifact(build, wheel, TARGET).locate() == (shop.path(wheel).as_uri(),)


def test_a_newer_c_library_than_the_images_is_a_reason_for_doubt() -> None:
    assert not find_toolchain(TARGET, "sh").doubt
    assert "is newer than the images'" in find_toolchain(replace(TARGET, glibc=(2, 5)), "sh").doubt


def test_a_compiler_that_is_not_there_is_a_reason_for_doubt() -> None:
    assert shutil.which("sh")
    assert find_toolchain(TARGET, "no-such-compiler -m64").doubt == "there is no no-such-compiler"


def test_a_container_without_an_engine_says_how_to_get_one(
    make_shop: Callable[..., Shop], sdist: Path
) -> None:
    def engine() -> NoReturn:
        raise MissingToolError("no Docker engine answers", hint="recipes need none")

    place = ContainerPlace(engine, lambda *_: "", lambda *_: ())
    with pytest.raises(UnavailableError, match="in a container: no Docker engine") as caught:
        make_shop(place).make(sdist)
    assert caught.value.hint == f"start Docker, or set DOCKER_HOST or a docker context; {SHARED}"
