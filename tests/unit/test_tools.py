"""What images get so that wheels can be built in them."""

from __future__ import annotations

import pytest

from orchestrator.errors import ResolutionError
from orchestrator.model import LockedDeb, Platform
from orchestrator.resolve.tools import resolve_tools, wanted_tools
from tests.archives import FakeArchive, offered

AMD64 = Platform("linux", "amd64")
OFFERED = (
    "libc6 2",
    "libc6-dev 2: libc6 (= 2)",
    "tool 1: libc6",
    "lib 3: libc6 (>= 1)",
    "gcc 12: libc6-dev",
)


def resolve(held: dict[str, LockedDeb], *wanted: str) -> list[str]:
    universe = FakeArchive(list(OFFERED)).universe(AMD64)
    return [f"{deb.name} {deb.version}" for deb in resolve_tools(universe, held, wanted)]


def holding(**versions: str) -> dict[str, LockedDeb]:
    return {name: offered(name, version, "amd64") for name, version in versions.items()}


def test_what_an_image_holds_stays_and_tools_are_added() -> None:
    found = resolve(holding(libc6="2", lib="2"), "gcc", "lib")
    assert found == ["libc6 2", "lib 2", "gcc 12", "libc6-dev 2"]


def test_where_the_archives_moved_on_what_the_headers_belong_to_moves_with_them() -> None:
    found = resolve(holding(libc6="1", tool="1"), "gcc")
    assert found == ["gcc 12", "libc6 2", "libc6-dev 2", "tool 1"]


def test_a_package_that_is_not_offered_is_named() -> None:
    with pytest.raises(ResolutionError, match="libnone-dev"):
        resolve(holding(libc6="2"), "gcc", "libnone-dev")


def test_headers_are_those_of_the_images_python_and_the_projects_packages_come_too() -> None:
    wanted = wanted_tools("3.11", ("base-files",), ("libav-dev", "gcc"))
    assert {"base-files", "python3.11", "python3.11-dev", "g++", "libav-dev"} <= set(wanted)
    assert len(wanted) == len(set(wanted))
