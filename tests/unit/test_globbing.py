"""Patterns match what moby's do, and none of them takes long."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.globbing import compile_pattern

_PLAIN = {"**/": "(?:.*/)?", "**": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}


def plainly(pattern: list[str]) -> re.Pattern[str]:
    """Compile a pattern, given in tokens, with no thought of the time it takes."""
    text = "".join(_PLAIN.get(token, token) for token in pattern[:-1])
    last = pattern[-1]
    return re.compile(text + (".*" if last.startswith("**") else _PLAIN.get(last, last)))


TOKENS = st.sampled_from(["a", "b", "/", "?", "*", "**", "**/"])


def are_apart(tokens: list[str]) -> bool:
    """Tell whether tokens put one after the other are read as these again."""
    return re.findall(r"\*\*/|\*\*|.", "".join(tokens)) == tokens


@given(
    st.lists(TOKENS, min_size=1, max_size=8).filter(are_apart),
    st.lists(st.text("ab/", max_size=10), min_size=8, max_size=8),
)
def test_what_is_compiled_to_be_fast_matches_as_the_plain_expression(
    tokens: list[str], paths: list[str]
) -> None:
    try:
        compiled = compile_pattern("".join(tokens))
    except ValueError as error:
        assert "midst of names" in str(error)  # noqa: PT017 - other patterns are compiled
        return
    for path in paths:
        assert bool(compiled.fullmatch(path)) == bool(plainly(tokens).fullmatch(path))


SLOW = [
    ("****************/////////****?3*", "a" * 255),
    ("*a*a*a*a*a*a*a*a*a*a*a*a*b", "a" * 255),
    ("**/a/**/a/**/a/**/a/**/a/**/a/**/b", "a/" * 2000),
    ("**/*a*a*a*a*b/**/*a*a*a*a*b/**/c", ("a" * 200 + "/") * 20),
    ("a**a**b", "a/" * 2000),
]


def test_no_pattern_takes_longer_than_a_limit_of_cpu_time_that_others_never_reach() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_CPU, (20, 20))\n"
        "from orchestrator.globbing import compile_pattern\n"
        f"for pattern, path in {SLOW!r}: assert not compile_pattern(pattern).fullmatch(path)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_two_wildcards_for_folders_in_names_are_enough() -> None:
    with pytest.raises(ValueError, match="in the midst of names more than 2 times"):
        compile_pattern("a**b**c**d")


@pytest.mark.parametrize(
    ("pattern", "matches", "others"),
    [
        ("[a-c]", "abc", "d-"),
        ("[^a-c]", "d-]", "abc/"),
        ("[a-]", "a-", "b"),
        ("[+--]", "+,-", "*."),
        ("[--/]", "-.", "/a"),
        (r"[\]a]", "]a", "\\"),
        (r"[a\-c]", "a-c", "b"),
        ("[a[&~|]", "a[&~|", "b"),
    ],
)
def test_classes_hold_characters_and_ranges(pattern: str, matches: str, others: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compiled = compile_pattern(pattern)
    assert all(compiled.fullmatch(char) for char in matches)
    assert not any(compiled.fullmatch(char) for char in others)


@pytest.mark.parametrize("pattern", ["[", "[a", "[]", "[^]", "[c-a]", "[\\"])
def test_a_class_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises((ValueError, re.error)):
        compile_pattern(pattern)
