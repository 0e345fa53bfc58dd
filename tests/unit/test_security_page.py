"""The page on security names tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs/security.md").read_text("utf-8")
_FILE = re.compile(r"`(?:(?P<folder>[a-z0-9]+)/)?(?P<name>test_\w+\.py)`")
_TEST = re.compile(r"`(test_\w+)`")


def test_every_file_of_tests_that_the_page_names_is_there() -> None:
    named = [(found["folder"] or "unit", found["name"]) for found in _FILE.finditer(PAGE)]
    assert len(named) > 20
    assert [pair for pair in named if not TESTS.joinpath(*pair).is_file()] == []


def test_every_test_that_the_page_names_is_there() -> None:
    written = "\n".join(path.read_text("utf-8") for path in TESTS.rglob("test_*.py"))
    named = set(_TEST.findall(PAGE))
    assert len(named) > 10
    assert {name for name in named if f"def {name}(" not in written} == set()
