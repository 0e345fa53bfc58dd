"""Debian's version order and relation syntax."""

from __future__ import annotations

import itertools

import pytest

from orchestrator.resolve.debian.relations import parse_relations
from orchestrator.resolve.debian.version import satisfies, version_key

ASCENDING = (
    "0~~",
    "0~",
    "0",
    "0.9",
    "1.0~~",
    "1.0~~a",
    "1.0~",
    "1.0~rc1-1",
    "1.0",
    "1.0-1~bpo12+1",
    "1.0-1",
    "1.0-1+b1",
    "1.0-1+deb12u1",
    "1.0-1+deb12u10",
    "1.0-2",
    "1.0a",
    "1.0b",
    "1.0+dfsg",
    "1.0.1",
    "1.9",
    "1.10",
    "1:0.1",
    "2:0.0",
)


@pytest.mark.parametrize(("lower", "higher"), list(itertools.pairwise(ASCENDING)))
def test_versions_ascend_as_policy_says(lower: str, higher: str) -> None:
    assert version_key(lower) < version_key(higher)


def test_an_epoch_outweighs_everything() -> None:
    assert version_key("1:0.1") > version_key("99999")
    assert version_key("2:0") > version_key("1:9")


def test_letters_sort_before_other_characters() -> None:
    assert version_key("1.0a") < version_key("1.0+")
    assert version_key("1.0Z") < version_key("1.0a")


def test_a_tilde_sorts_before_the_end() -> None:
    assert version_key("1.0~") < version_key("1.0")
    assert version_key("1.0-1~deb12u1") < version_key("1.0-1")


@pytest.mark.parametrize(
    ("one", "other"), [("1.0", "1.0-0"), ("0:1.0", "1.0"), ("1.00", "1.0"), ("1.", "1.0")]
)
def test_two_spellings_are_one_version(one: str, other: str) -> None:
    assert version_key(one) == version_key(other)


def test_only_the_last_hyphen_begins_the_revision() -> None:
    assert version_key("1.0-beta-1") < version_key("1.0-beta-2")
    assert version_key("1.0-1-1") > version_key("1.0+1-1")


@pytest.mark.parametrize(
    ("version", "operator", "bound", "holds"),
    [
        ("1.0", "<<", "1.0", False),
        ("1.0", "<=", "1.0", True),
        ("1.0", "=", "1.0-0", True),
        ("1.1", "=", "1.0", False),
        ("1.0", ">=", "1.0", True),
        ("1.0", ">>", "1.0", False),
        ("1.1", ">>", "1.0", True),
        ("1.0", "<", "1.0", True),
        ("1.0", ">", "1.0", True),
    ],
)
def test_each_operator_says_what_policy_says(
    version: str, operator: str, bound: str, *, holds: bool
) -> None:
    assert satisfies(version, operator, bound) is holds


def clauses(text: str, architecture: str = "amd64") -> list[str]:
    return [str(clause) for clause in parse_relations(text, architecture)]


def test_a_field_is_clauses_of_alternatives() -> None:
    assert clauses("a, b (>= 1:2.0~) | c,\n d(<<3)") == ["a", "b (>= 1:2.0~) | c", "d (<< 3)"]


def test_qualifiers_of_the_own_architecture_are_dropped() -> None:
    assert clauses("perl:any, python3:native (>= 3), gcc:amd64") == [
        "perl",
        "python3 (>= 3)",
        "gcc",
    ]


def test_an_alternative_of_a_foreign_architecture_cannot_be_met() -> None:
    assert clauses("lib32 | libc6:i386") == ["lib32"]
    (clause,) = parse_relations("libc6:i386", "amd64")
    assert clause.alternatives == ()


@pytest.mark.parametrize(
    ("text", "amd64", "arm64"),
    [
        ("a [amd64]", ["a"], []),
        ("a [!amd64]", [], ["a"]),
        ("a [linux-any]", ["a"], ["a"]),
        ("a (>= 1) [arm64 armhf] | b", ["b"], ["a (>= 1) | b"]),
        ("a <!nocheck>", ["a"], ["a"]),
    ],
)
def test_architecture_lists_restrict(text: str, amd64: list[str], arm64: list[str]) -> None:
    assert clauses(text, "amd64") == amd64
    assert clauses(text, "arm64") == arm64


def test_a_malformed_relation_is_refused() -> None:
    with pytest.raises(ValueError, match="malformed relation"):
        parse_relations("a (=> 1)", "amd64")


@pytest.mark.parametrize("version", ["Package:1.0", ":1.0", "-1:1.0", "1_0:1.0", "\u0661:1.0"])
def test_an_epoch_that_is_no_number_is_refused(version: str) -> None:
    with pytest.raises(ValueError, match="epoch"):
        version_key(version)


def test_a_relation_to_a_version_that_is_none_is_refused_when_it_is_read() -> None:
    with pytest.raises(ValueError, match=r"the epoch of version 'Package:1\.0' is no number"):
        parse_relations("b (>= Package:1.0) | c", "amd64")
