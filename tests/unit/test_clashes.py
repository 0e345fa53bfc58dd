"""Two wheels with other bytes at one path are an error, unless the recipe names the winner."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.engines.assembler.clashes import check_clashes
from orchestrator.engines.assembler.contents import Contents
from orchestrator.errors import AssemblyError
from orchestrator.model import Recipe
from tests.chains import Chain


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    return Chain(tmp_path)


def refusal(contents: Contents, chain: Chain) -> AssemblyError:
    with pytest.raises(AssemblyError) as caught:
        check_clashes(contents, chain.store)
    assert caught.value.file == f"base/{contents.own.image.name}/image.toml"
    return caught.value


def test_both_wheels_the_path_and_the_way_out_are_named(chain: Chain) -> None:
    chain.wheel("one", {"pkg/x.py": b"1"})
    chain.wheel("two", {"pkg/x.py": b"2"})
    error = refusal(chain.image("web"), chain)
    for part in ("one 1.0", "two 1.0", "pkg/x.py"):
        assert part in error.message
    assert "[python] prefer" in error.hint
    assert '"pkg/x.py" = "two"' in error.hint


def test_equal_bytes_at_one_path_are_fine(chain: Chain) -> None:
    chain.wheel("one", {"pkg/__init__.py": b"", "pkg/a.py": b"1"})
    chain.wheel("two", {"pkg/__init__.py": b"", "pkg/b.py": b"2"})
    check_clashes(chain.image("web"), chain.store)


def test_an_ancestors_wheel_counts(chain: Chain) -> None:
    chain.wheel("one", {"pkg/x.py": b"1"})
    chain.image("base")
    chain.wheel("two", {"pkg/x.py": b"2"})
    assert "one 1.0" in refusal(chain.image("web"), chain).message


def test_a_clash_among_ancestors_is_theirs_to_report(chain: Chain) -> None:
    chain.wheel("one", {"pkg/x.py": b"1"})
    chain.wheel("two", {"pkg/x.py": b"2"})
    chain.image("base")
    chain.wheel("three", {"pkg/y.py": b"2"})
    check_clashes(chain.image("web"), chain.store)


def test_scripts_outside_of_site_packages_are_compared(chain: Chain) -> None:
    chain.wheel("one", {"one-1.0.data/scripts/run": b"1"})
    chain.wheel("two", {"two-1.0.data/scripts/run": b"2"})
    assert "bin/run" in refusal(chain.image("web"), chain).message


@pytest.mark.parametrize("path", ["pkg/x.py", "pkg"])
def test_a_winner_is_taken_for_a_path_or_a_whole_package(chain: Chain, path: str) -> None:
    chain.wheel("one", {"pkg/x.py": b"1"})
    chain.wheel("two", {"pkg/x.py": b"2"})
    check_clashes(chain.image("web", Recipe("", prefer={path: "one"})), chain.store)


def test_a_winner_for_another_path_does_not_count(chain: Chain) -> None:
    chain.wheel("one", {"pkg/x.py": b"1"})
    chain.wheel("two", {"pkg/x.py": b"2"})
    refusal(chain.image("web", Recipe("", prefer={"other": "one"})), chain)


def test_a_package_of_the_base_cannot_win(chain: Chain) -> None:
    chain.wheel("one", {"pkg/x.py": b"1"})
    chain.image("base")
    chain.wheel("two", {"pkg/x.py": b"2"})
    error = refusal(chain.image("web", Recipe("", prefer={"pkg/x.py": "one"})), chain)
    assert "one cannot win pkg/x.py" in error.message
    assert "name two" in error.hint
