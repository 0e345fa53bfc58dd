"""Which archives are read out of apt's sources and the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import ExitCode, MissingToolError
from orchestrator.model import DebianSettings
from orchestrator.resolve.debian.sources import Source, read_snapshot_roots, read_sources

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

CONTAINER_SOURCES = f"""\
Types: deb
# http://snapshot.example.com/archive/debian/20250520T000000Z
URIs: http://mirror.example.com/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: {KEYRING}

Types: deb
# http://snapshot.example.com/archive/debian-security/20250520T000000Z
URIs: http://mirror.example.com/debian-security/
Suites: bookworm-security
Components: main
Signed-By: {KEYRING}
"""


def apt_root(folder: Path, **files: str) -> Path:
    """Write apt's files; `debian__sources` becomes `sources.list.d/debian.sources`."""
    parts = folder / "etc/apt/sources.list.d"
    parts.mkdir(parents=True)
    for name, text in files.items():
        place = parts.parent if name == "sources__list" else parts
        (place / name.replace("__", ".")).write_text(text)
    return folder


def test_deb822_sources_of_a_container_image_are_read(tmp_path: Path) -> None:
    root = apt_root(tmp_path, debian__sources=CONTAINER_SOURCES)
    assert read_sources(DebianSettings(), root) == (
        Source(
            "http://mirror.example.com/debian", ("bookworm", "bookworm-updates"), ("main",), KEYRING
        ),
        Source(
            "http://mirror.example.com/debian-security", ("bookworm-security",), ("main",), KEYRING
        ),
    )


def test_one_line_sources_are_read_with_their_options(tmp_path: Path) -> None:
    text = (
        "# deb http://old.example.com/debian bookworm main\n"
        "deb [ arch=amd64 signed-by=/k.gpg ] http://m.example.com/debian/ bookworm"
        " contrib main # both\n"
        "deb-src http://m.example.com/debian bookworm main\n"
        "deb [check-valid-until=no] http://s.example.com/debian bookworm-security main\n"
    )
    root = apt_root(tmp_path, sources__list=text)
    settings = DebianSettings(components=("main", "contrib"))
    first, second = read_sources(settings, root)
    assert first == Source(
        "http://m.example.com/debian", ("bookworm",), ("main", "contrib"), "/k.gpg"
    )
    assert second.signed_by == str(root / KEYRING[1:])
    assert (first.check_valid_until, second.check_valid_until) == (True, False)


def test_sources_of_other_suites_are_left_out(tmp_path: Path) -> None:
    root = apt_root(
        tmp_path,
        debian__sources=CONTAINER_SOURCES,
        backports__list="deb http://m.example.com/debian bookworm-backports main\n",
        node__list="deb https://node.example.com/node_20.x nodistro main\n",
        cloud__list="deb https://cloud.example.com/apt cloud-sdk-bookworm main\n",
        old__list__disabled="deb http://m.example.com/disabled bookworm main\n",
    )
    assert {source.uri for source in read_sources(DebianSettings(), root)} == {
        "http://mirror.example.com/debian",
        "http://mirror.example.com/debian-security",
    }


@pytest.mark.parametrize(
    "change", [("Types: deb", "Types: deb-src"), ("Components", "Enabled: no\nComponents")]
)
def test_sources_that_apt_does_not_use_are_left_out(
    tmp_path: Path, change: tuple[str, str]
) -> None:
    root = apt_root(tmp_path, debian__sources=CONTAINER_SOURCES.replace(*change))
    with pytest.raises(MissingToolError):
        read_sources(DebianSettings(), root)


def test_a_key_within_a_source_is_kept_whole(tmp_path: Path) -> None:
    key = "\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mDME\n -----END PGP PUBLIC KEY BLOCK-----"
    root = apt_root(tmp_path, debian__sources=CONTAINER_SOURCES.replace(f" {KEYRING}", key))
    assert read_sources(DebianSettings(), root)[0].signed_by.splitlines()[1:] == [
        "-----BEGIN PGP PUBLIC KEY BLOCK-----",
        ".",
        "mDME",
        "-----END PGP PUBLIC KEY BLOCK-----",
    ]


def test_a_machine_without_sources_is_told_to_set_a_mirror(tmp_path: Path) -> None:
    with pytest.raises(MissingToolError) as caught:
        read_sources(DebianSettings(), tmp_path)
    assert "mirror" in caught.value.hint
    assert "[debian]" in caught.value.hint
    assert caught.value.exit_code is ExitCode.MISSING_TOOL


def test_the_settings_mirror_replaces_the_machines_sources(tmp_path: Path) -> None:
    root = apt_root(tmp_path, debian__sources=CONTAINER_SOURCES)
    settings = DebianSettings(
        mirror="https://in.example.com/debian/",
        security_mirror="https://in.example.com/security",
        keyring="/in.gpg",
    )
    assert [
        (source.uri, source.suites, source.optional, source.signed_by)
        for source in read_sources(settings, root)
    ] == [
        ("https://in.example.com/debian", ("bookworm",), False, "/in.gpg"),
        ("https://in.example.com/debian", ("bookworm-updates",), True, "/in.gpg"),
        ("https://in.example.com/security", ("bookworm-security",), False, "/in.gpg"),
    ]


@pytest.mark.parametrize(
    ("text", "checked"),
    [
        ('Acquire::Check-Valid-Until "false";', False),
        ("Acquire {\n  Check-Valid-Until no;\n};", False),
        ('// Acquire::Check-Valid-Until "false";', True),
        ('Acquire::Check-Valid-Until "true";', True),
    ],
)
def test_apts_own_word_on_expired_releases_holds(
    tmp_path: Path, text: str, *, checked: bool
) -> None:
    root = apt_root(tmp_path, debian__sources=CONTAINER_SOURCES)
    (root / "etc/apt/apt.conf.d").mkdir()
    (root / "etc/apt/apt.conf.d/99here").write_text(text)
    assert {source.check_valid_until for source in read_sources(DebianSettings(), root)} == {
        checked
    }


def test_snapshot_roots_are_read_from_the_comments_of_container_images(tmp_path: Path) -> None:
    root = apt_root(tmp_path, debian__sources=CONTAINER_SOURCES)
    assert read_snapshot_roots(DebianSettings(), root) == (
        "http://snapshot.example.com/archive/debian",
        "http://snapshot.example.com/archive/debian-security",
    )


def test_a_snapshot_in_the_settings_comes_first(tmp_path: Path) -> None:
    root = apt_root(tmp_path, debian__sources=CONTAINER_SOURCES)
    settings = DebianSettings(snapshot="https://s.example.com/archive/debian/")
    assert read_snapshot_roots(settings, root) == (
        "https://s.example.com/archive/debian",
        "https://s.example.com/archive/debian-security",
    )


def test_without_comments_there_is_no_snapshot(tmp_path: Path) -> None:
    assert read_snapshot_roots(DebianSettings(), tmp_path) == ()
