"""Which packages a resolution adds, and what it says when it cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from orchestrator.errors import ArtifactError, ResolutionError
from orchestrator.model import LockedDeb
from orchestrator.resolve.debian import Universe, resolve_debs
from orchestrator.resolve.debian.script_only import SCRIPT_ONLY


def stanza(package: str, **fields: str) -> str:
    """Return a stanza for `NAME` or `NAME=VERSION`; `pre_depends="a"` makes a Pre-Depends."""
    name, _, version = package.partition("=")
    version = version or "1"
    lines = [
        f"Package: {name}",
        f"Version: {version}",
        "Architecture: amd64",
        *(f"{field.replace('_', '-').title()}: {value}" for field, value in fields.items()),
        f"Filename: pool/main/{name}_{version}_amd64.deb",
        "Size: 10",
        f"SHA256: {name}-{version}",
    ]
    return "\n".join(lines)


def universe_of(*indexes: Sequence[str]) -> Universe:
    texts = ["\n\n".join(stanzas) + "\n" for stanzas in indexes]
    return Universe("amd64", "bookworm", [text.encode() for text in texts])


def held(*packages: str) -> dict[str, LockedDeb]:
    names = [package.partition("=")[::2] for package in packages]
    return {
        name: LockedDeb(name, version or "1", "amd64", "0", 1, f"pool/{name}.deb")
        for name, version in names
    }


def resolve(
    universe: Universe,
    *wanted: str,
    held: Mapping[str, LockedDeb] | None = None,
    preferred: Mapping[str, str] | None = None,
) -> list[str]:
    debs = resolve_debs(universe, wanted, held or {}, preferred or {})
    return [deb.name if deb.version == "1" else f"{deb.name}={deb.version}" for deb in debs]


def refusal(
    universe: Universe, *wanted: str, held: Mapping[str, LockedDeb] | None = None
) -> ResolutionError:
    with pytest.raises(ResolutionError) as caught:
        resolve(universe, *wanted, held=held)
    assert caught.value.hint
    return caught.value


def test_depends_and_pre_depends_are_followed_and_recommends_are_not() -> None:
    universe = universe_of(
        [
            stanza("app", depends="lib", pre_depends="early", recommends="extra", suggests="more"),
            stanza("lib", depends="libc"),
            *map(stanza, ("early", "extra", "more", "libc")),
        ]
    )
    assert resolve(universe, "app") == ["app", "early", "lib", "libc"]


def test_a_locked_package_carries_what_a_fetch_needs() -> None:
    universe = universe_of([stanza("app=2:1.0-1")])
    assert resolve_debs(universe, ["app"], {}, {}) == (
        LockedDeb("app", "2:1.0-1", "amd64", "app-2:1.0-1", 10, "pool/main/app_2:1.0-1_amd64.deb"),
    )


def test_packages_that_need_each_other_are_both_added() -> None:
    universe = universe_of([stanza("a", depends="b"), stanza("b", depends="a")])
    assert resolve(universe, "a") == ["a", "b"]


def test_the_highest_version_of_all_suites_is_taken() -> None:
    universe = universe_of([stanza("lib=1.10")], [stanza("lib=1.9")], [stanza("lib=1.10~rc1")])
    assert resolve(universe, "lib") == ["lib=1.10"]


def test_a_version_bound_picks_an_older_version() -> None:
    universe = universe_of([stanza("app", depends="lib (<< 2)"), stanza("lib=2"), stanza("lib=1")])
    assert resolve(universe, "app") == ["app", "lib"]


def test_an_older_version_is_taken_when_the_newest_cannot_be_met() -> None:
    universe = universe_of([stanza("app=2", depends="gone"), stanza("app=1")])
    assert resolve(universe, "app") == ["app"]


def test_a_named_version_is_taken() -> None:
    universe = universe_of([stanza("app=2"), stanza("app=1")])
    assert resolve(universe, "app=1") == ["app"]


def test_a_named_version_that_is_not_offered_is_refused_with_those_that_are() -> None:
    error = refusal(universe_of([stanza("app=2"), stanza("app=1")]), "app=3")
    assert "app=3" in error.message
    assert "2, 1" in error.message


def test_the_first_alternative_is_taken() -> None:
    universe = universe_of([stanza("app", depends="a | b"), stanza("a"), stanza("b")])
    assert resolve(universe, "app") == ["a", "app"]


def test_an_alternative_that_is_wanted_already_is_taken() -> None:
    universe = universe_of([stanza("app", depends="a | b"), stanza("a"), stanza("b")])
    assert resolve(universe, "app", "b") == ["app", "b"]


def test_an_alternative_that_another_package_needs_is_taken() -> None:
    universe = universe_of(
        [
            stanza("app", depends="a | z, via"),
            stanza("via", depends="via2"),
            stanza("via2", depends="z"),
            *map(stanza, "az"),
        ]
    )
    assert resolve(universe, "app") == ["app", "via", "via2", "z"]


def test_an_alternative_that_asks_back_is_met_by_who_asked() -> None:
    universe = universe_of([stanza("x", depends="y"), stanza("y", depends="z | x"), stanza("z")])
    assert resolve(universe, "x") == ["x", "y"]


def test_an_alternative_that_a_parent_holds_is_taken() -> None:
    universe = universe_of([stanza("app", depends="a | b"), stanza("a"), stanza("b")])
    assert resolve(universe, "app", held=held("b")) == ["app"]


def test_an_alternative_that_was_locked_before_is_taken() -> None:
    universe = universe_of([stanza("app", depends="a | b"), stanza("a"), stanza("b")])
    assert resolve(universe, "app", preferred={"b": "1"}) == ["app", "b"]


def test_a_second_alternative_is_taken_when_the_first_cannot_be() -> None:
    universe = universe_of(
        [stanza("app", depends="a | b"), stanza("a", depends="gone"), stanza("b")]
    )
    assert resolve(universe, "app") == ["app", "b"]


def test_a_version_bound_rules_an_alternative_out() -> None:
    universe = universe_of([stanza("app", depends="a (>= 2) | b"), stanza("a"), stanza("b")])
    assert resolve(universe, "app") == ["app", "b"]


def test_a_virtual_package_is_met_by_a_provider() -> None:
    universe = universe_of([stanza("app", depends="mta"), stanza("exim", provides="mta, other")])
    assert resolve(universe, "app") == ["app", "exim"]


def test_the_provider_of_the_highest_priority_is_taken() -> None:
    universe = universe_of(
        [
            stanza("app", depends="awk"),
            stanza("gawk", provides="awk", priority="optional"),
            stanza("mawk", provides="awk", priority="required"),
        ]
    )
    assert resolve(universe, "app") == ["app", "mawk"]


def test_a_real_package_comes_before_its_providers() -> None:
    universe = universe_of(
        [stanza("app", depends="z"), stanza("a", provides="z"), stanza("z", priority="extra")]
    )
    assert resolve(universe, "app") == ["app", "z"]


def test_a_versioned_provides_meets_a_bound_and_an_unversioned_does_not() -> None:
    universe = universe_of(
        [
            stanza("app", depends="api (>= 2)"),
            stanza("a", provides="api"),
            stanza("b", provides="api (= 1)"),
            stanza("c", provides="api (= 2.1)"),
        ]
    )
    assert resolve(universe, "app") == ["app", "c"]


def test_held_packages_meet_dependencies_and_are_not_added_again() -> None:
    universe = universe_of(
        [
            stanza("app", depends="lib, new"),
            stanza("lib", depends="libc"),
            *map(stanza, ("libc", "new")),
        ]
    )
    assert resolve(universe, "app", "lib", held=held("lib", "libc")) == ["app", "new"]


def test_what_a_held_package_needs_is_its_parents_business() -> None:
    universe = universe_of([stanza("app", depends="lib"), stanza("lib", depends="gone")])
    assert resolve(universe, "app", "lib", held=held("lib")) == ["app"]


def test_a_held_package_keeps_its_version_though_the_archive_has_moved_on() -> None:
    universe = universe_of([stanza("app", depends="lib (>= 1)"), stanza("lib=2")])
    assert resolve(universe, "app", held=held("lib=1.5")) == ["app"]


def test_a_held_package_provides_what_its_newest_stanza_says() -> None:
    universe = universe_of([stanza("app", depends="abi"), stanza("lib=2", provides="abi")])
    assert resolve(universe, "app", held=held("lib=1")) == ["app"]


def test_a_package_that_fits_the_held_version_is_found() -> None:
    universe = universe_of(
        [
            stanza("dev=2", depends="lib (= 2)"),
            stanza("dev=1", depends="lib (= 1)"),
            stanza("lib=2"),
        ]
    )
    assert resolve(universe, "dev", held=held("lib=1")) == ["dev"]


def test_a_held_version_that_is_too_old_is_named() -> None:
    universe = universe_of([stanza("app", depends="lib (>= 2)"), stanza("lib=2")])
    error = refusal(universe, "app", held=held("lib=1"))
    assert "app -> lib (>= 2): the parent image holds lib 1" in error.message
    assert "--upgrade lib" in error.hint


def test_a_locked_version_is_kept_while_it_is_offered() -> None:
    universe = universe_of([stanza("lib=2"), stanza("lib=1")])
    assert resolve(universe, "lib", preferred={"lib": "1"}) == ["lib"]
    assert resolve(universe, "lib", preferred={"lib": "0.9"}) == ["lib=2"]


def test_a_locked_version_gives_way_when_it_no_longer_fits() -> None:
    universe = universe_of([stanza("app", depends="lib (>= 2)"), stanza("lib=2"), stanza("lib=1")])
    assert resolve(universe, "app", preferred={"lib": "1"}) == ["app", "lib=2"]


@pytest.mark.parametrize("field", ["conflicts", "breaks"])
def test_packages_that_conflict_are_refused_and_both_named(field: str) -> None:
    universe = universe_of([stanza("a", **{field: "b"}), stanza("b")])
    error = refusal(universe, "a", "b")
    assert "a: conflicts with b" in error.message
    assert "\n  b" in error.message


@pytest.mark.parametrize("order", [("a", "app"), ("app", "a")])
def test_an_alternative_that_conflicts_is_passed_over(order: tuple[str, str]) -> None:
    universe = universe_of(
        [stanza("a", conflicts="b"), stanza("app", depends="b | c"), stanza("b"), stanza("c")]
    )
    assert resolve(universe, *order) == ["a", "app", "c"]


def test_an_alternative_that_conflicts_with_who_asks_is_passed_over() -> None:
    universe = universe_of(
        [stanza("app", depends="b | c"), stanza("b", conflicts="app"), stanza("c")]
    )
    assert resolve(universe, "app") == ["app", "c"]


def test_a_bounded_conflict_strikes_only_what_it_names() -> None:
    universe = universe_of([stanza("a", breaks="b (<< 2)"), stanza("b=2"), stanza("b=1")])
    assert resolve(universe, "a", "b") == ["a", "b=2"]
    assert resolve(universe, "a") == ["a"]
    assert "b (<< 2)" in refusal(universe, "a", "b=1").message


def test_a_conflict_with_a_virtual_package_strikes_its_other_providers() -> None:
    universe = universe_of(
        [
            stanza("exim", provides="mta", conflicts="mta"),
            stanza("postfix", provides="mta", conflicts="mta"),
            stanza("app", depends="mta"),
        ]
    )
    assert resolve(universe, "postfix", "app") == ["app", "postfix"]
    assert "conflicts with mta" in refusal(universe, "exim", "postfix").message


def test_a_held_package_that_conflicts_is_named() -> None:
    universe = universe_of([stanza("a", conflicts="b"), stanza("b")])
    assert (
        "a: conflicts with b, the parent image holds b"
        in refusal(universe, "a", held=held("b")).message
    )
    assert "parent image: conflicts with b" in refusal(universe, "b", held=held("a")).message


def test_a_missing_package_is_refused_with_near_names() -> None:
    error = refusal(universe_of([stanza("libsndfile1"), stanza("zlib1g")]), "libsndfile")
    assert error.message == "libsndfile: no such package in bookworm (amd64)"
    assert error.hint == "did you mean libsndfile1?"


def test_a_virtual_name_that_is_wanted_is_refused_with_its_providers() -> None:
    universe = universe_of([stanza("mawk", provides="awk"), stanza("gawk", provides="awk")])
    assert "gawk, mawk" in refusal(universe, "awk").hint


def test_a_dependency_that_is_missing_is_led_by_its_chain() -> None:
    universe = universe_of(
        [stanza("app", depends="mid"), stanza("mid", depends="lib (>= 2)"), stanza("lib=1")]
    )
    assert (
        refusal(universe, "app").message == "app -> mid -> lib (>= 2): bookworm (amd64) has lib 1"
    )
    universe = universe_of([stanza("app", depends="mid"), stanza("mid", depends="nothing")])
    assert (
        refusal(universe, "app").message
        == "app -> mid -> nothing: bookworm (amd64) has no such package"
    )


def test_what_only_maintainer_scripts_need_is_left_out() -> None:
    universe = universe_of(
        [
            stanza("app", depends="debconf (>= 0.5) | debconf-2.0, lib", pre_depends="dpkg (>= 1)"),
            *map(stanza, ("debconf", "lib", "dpkg")),
        ]
    )
    assert resolve(universe, "app") == ["app", "lib"]


def test_what_only_maintainer_scripts_need_is_added_when_asked_for() -> None:
    universe = universe_of(
        [stanza("app", depends="dpkg"), stanza("dpkg", depends="tar"), stanza("tar")]
    )
    assert resolve(universe, "app", "dpkg") == ["app", "dpkg", "tar"]


def test_what_is_asked_for_must_fit_those_who_need_it() -> None:
    universe = universe_of([stanza("app", depends="dpkg (>= 2)"), stanza("dpkg")])
    assert resolve(universe, "app") == ["app"]
    assert "dpkg (>= 2)" in refusal(universe, "app", "dpkg").message


def test_every_package_left_out_has_a_reason() -> None:
    assert all(len(reason.split()) > 3 for reason in SCRIPT_ONLY.values())


def test_the_order_of_the_request_does_not_matter() -> None:
    universe = universe_of(
        [
            stanza("p", depends="x | y"),
            stanza("q", depends="y | x"),
            *map(stanza, "xy"),
        ]
    )
    assert resolve(universe, "p", "q") == resolve(universe, "q", "p")


def test_a_long_step_back_still_finds_a_way() -> None:
    deep = [stanza(f"d{i}", depends=f"d{i + 1}" if i < 20 else "end") for i in range(21)]
    universe = universe_of(
        [
            stanza("app", depends="first | second, d0"),
            stanza("first", depends="only (= 1)"),
            stanza("second"),
            *deep,
            stanza("end", depends="only (>= 2)"),
            stanza("only=2"),
            stanza("only=1"),
        ]
    )
    found = resolve(universe, "app")
    assert "second" in found
    assert "first" not in found


def test_a_stanza_without_a_needed_field_is_refused_when_looked_at() -> None:
    universe = Universe(
        "amd64", "bookworm", [b"Package: a\nVersion: 1\n\nPackage: b\nVersion: 1\n"]
    )
    with pytest.raises(ArtifactError, match="a has no field"):
        resolve_debs(universe, ["a"], {}, {})


@pytest.mark.parametrize("stanza_text", [stanza("a=x:1"), stanza("a", depends="b (=> 1)")])
def test_a_malformed_stanza_is_refused_by_name(stanza_text: str) -> None:
    with pytest.raises(ArtifactError, match="Packages index: a: "):
        resolve(universe_of([stanza_text]), "a")


def test_blank_lines_between_stanzas_are_passed_over() -> None:
    text = "\n\n\n".join([stanza("a", provides="v"), stanza("b")]) + "\n\n\n"
    universe = Universe("amd64", "bookworm", [text.encode()])
    assert sorted(universe.names) == ["a", "b"]
    assert universe.providers("v") == ("a",)
