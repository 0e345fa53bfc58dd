"""The finaliser leaves what the packages' scripts would have left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from orchestrator.engines.assembler.deb.accounts import User, resolve_user
from orchestrator.engines.assembler.deb.actions import (
    Action,
    Alternative,
    Copy,
    Directory,
    Symlink,
    TextFile,
    action_to_json,
)
from orchestrator.engines.assembler.deb.finalise import finaliser_entries
from orchestrator.errors import AssemblyError
from orchestrator.model import Platform
from orchestrator.oci.segment import SegmentInfo
from orchestrator.oci.tar import Entry
from tests.debs import segment_of

AMD64 = Platform.parse("linux/amd64")
ARM64 = Platform.parse("linux/arm64")

PASSWD = "root:*:0:0:root:/root:/bin/bash\nwww-data:*:33:33:www-data:/var/www:/usr/sbin/nologin\n"
GROUP = "root:*:0:\nwww-data:*:33:\naudio:*:29:\n"
BASE_PASSWD = segment_of(
    {},
    contents={
        "usr/share/base-passwd/passwd.master": PASSWD,
        "usr/share/base-passwd/group.master": GROUP,
    },
)


def package(
    *actions: Action,
    paths: Sequence[str] = (),
    contents: Mapping[str, str] | None = None,
    name: str = "sample",
) -> SegmentInfo:
    return segment_of(
        dict.fromkeys(paths),
        deb={"name": name, "version": "1"},
        actions=[action_to_json(action) for action in actions],
        contents=dict(contents or {}),
    )


def finalised(
    *own: SegmentInfo, inherited: Sequence[SegmentInfo] = (), **options: Any
) -> dict[str, tuple[Entry, bytes]]:
    platform = options.pop("platform", AMD64)
    made = finaliser_entries(inherited, own, platform, **options)
    assert [entry.path for entry, _ in made] == sorted(entry.path for entry, _ in made)
    return {entry.path: (entry, data) for entry, data in made}


def test_the_root_has_the_links_of_merged_usr() -> None:
    base_files = package(name="base-files")
    links = {path: entry.link for path, (entry, _) in finalised(base_files).items()}
    assert links == {"bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64", "sbin": "usr/sbin"}
    assert "lib64" not in finalised(base_files, platform=ARM64)


def test_actions_are_carried_out() -> None:
    made = finalised(
        package(
            Directory("var/x", 0o2775, 0, 8),
            Symlink("etc/localtime", "/usr/share/zoneinfo/Etc/UTC"),
            TextFile("etc/timezone", "Etc/UTC\n", 0o600),
            Copy("usr/share/x/default", "etc/x"),
            contents={"usr/share/x/default": "text"},
        )
    )
    assert (made["var/x"][0].mode, made["var/x"][0].gid) == (0o2775, 8)
    assert made["etc/localtime"][0].link == "/usr/share/zoneinfo/Etc/UTC"
    assert (made["etc/timezone"][0].mode, made["etc/timezone"][1]) == (0o600, b"Etc/UTC\n")
    assert made["etc/x"][1] == b"text"


def test_what_a_package_ships_is_not_replaced() -> None:
    own = package(TextFile("etc/x", "default"), paths=["etc/x"])
    assert "etc/x" not in finalised(own)


def test_a_child_writes_only_what_changes() -> None:
    parent = package(TextFile("etc/x", "1"), name="base-files")
    child = package(TextFile("etc/y", "2"))
    assert set(finalised(child, inherited=[parent])) == {"etc/y"}
    assert finalised(inherited=[parent]) == {}


def test_the_alternative_of_highest_priority_wins_over_the_whole_chain() -> None:
    low = package(Alternative("/usr/bin/awk", "awk", "/usr/bin/mawk", 5), paths=["usr/bin/mawk"])
    high = package(Alternative("/usr/bin/awk", "awk", "/usr/bin/gawk", 10), paths=["usr/bin/gawk"])
    made = finalised(high, inherited=[low])
    assert {path: entry.link for path, (entry, _) in made.items()} == {
        "etc/alternatives/awk": "/usr/bin/gawk"
    }
    assert finalised(low, inherited=[high]) == {}


def test_an_alternatives_links_stand_in_merged_usr() -> None:
    own = package(Alternative("/lib/cpp", "cpp", "/usr/bin/cpp", 10), paths=["usr/bin/cpp"])
    assert finalised(own)["usr/lib/cpp"][0].link == "/etc/alternatives/cpp"


def test_alternatives_that_are_left_out_get_no_links() -> None:
    slave = ("/usr/share/man/man1/awk.1.gz", "awk.1.gz", "/usr/share/man/man1/mawk.1.gz")
    own = package(
        Alternative("/usr/bin/awk", "awk", "/usr/bin/mawk", 5, (slave,)),
        Alternative("/usr/bin/x", "x", "/usr/bin/absent", 5),
        paths=["usr/bin/mawk"],
    )
    assert set(finalised(own)) == {"etc/alternatives/awk", "usr/bin/awk"}


def test_certificates_are_joined_into_a_bundle_that_openssl_finds() -> None:
    own = package(
        contents={
            "usr/share/ca-certificates/mozilla/B (1).crt": "BBB\n",
            "usr/share/ca-certificates/mozilla/A.crt": "AAA",
            "usr/local/share/ca-certificates/corp.crt": "CORP",
        }
    )
    made = finalised(own)
    assert made["etc/ssl/certs/ca-certificates.crt"][1] == b"AAA\nBBB\nCORP\n"
    assert made["usr/lib/ssl/cert.pem"][0].link == "/etc/ssl/certs/ca-certificates.crt"
    assert made["etc/ca-certificates.conf"][1] == b"mozilla/A.crt\nmozilla/B (1).crt\n"
    assert "etc/ssl/certs/B_=1=.pem" in made


def test_shells_are_listed_with_their_places_in_merged_usr() -> None:
    own = package(
        contents={
            "usr/share/debianutils/shells": "# shells\n/bin/sh\n",
            "usr/share/debianutils/shells.d/dash": "/bin/dash\n",
        }
    )
    assert finalised(own)["etc/shells"][1] == (
        b"# shells\n/bin/sh\n/usr/bin/sh\n/bin/dash\n/usr/bin/dash\n"
    )


def test_the_images_user_is_in_passwd_and_group_and_has_a_home() -> None:
    made = finalised(BASE_PASSWD, user="1000")
    assert made["etc/passwd"][1].decode() == (
        PASSWD + "app:x:1000:1000::/home/app:/usr/sbin/nologin\n"
    )
    assert made["etc/group"][1].decode() == GROUP + "app:x:1000:\n"
    home = made["home/app"][0]
    assert (home.mode, home.uid, home.gid) == (0o755, 1000, 1000)


def test_users_of_ancestors_stay() -> None:
    made = finalised(inherited=[BASE_PASSWD], user="runner", inherited_users=["1000"])
    lines = made["etc/passwd"][1].decode().splitlines()[2:]
    assert lines == [
        "app:x:1000:1000::/home/app:/usr/sbin/nologin",
        "runner:x:1001:1001::/home/runner:/usr/sbin/nologin",
    ]
    assert "home/app" not in made


def test_a_user_that_is_there_already_changes_nothing() -> None:
    assert finalised(inherited=[BASE_PASSWD], user="www-data") == {}
    assert finalised(inherited=[BASE_PASSWD], user="1000", inherited_users=["1000"]) == {}


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("", User(0, 0, "root", "/root")),
        ("0", User(0, 0, "root", "/root")),
        ("www-data", User(33, 33, "www-data", "/var/www")),
        ("33", User(33, 33, "www-data", "/var/www")),
        ("1000", User(1000, 1000, "app", "/home/app")),
        ("1234:29", User(1234, 29, "app", "/home/app")),
        ("runner", User(1000, 1000, "runner", "/home/runner")),
        ("runner:audio", User(1000, 29, "runner", "/home/runner")),
        ("runner:staff", User(1000, 1000, "runner", "/home/runner")),
        ("runner:2000", User(1000, 2000, "runner", "/home/runner")),
    ],
)
def test_a_user_is_resolved_to_numbers(user: str, expected: User) -> None:
    assert resolve_user(user, [BASE_PASSWD]) == expected


def test_no_user_is_the_last_that_an_ancestor_names() -> None:
    assert resolve_user("", [BASE_PASSWD], ["1000", ""]).uid == 1000


@pytest.mark.parametrize("user", ["a b", "a/b", "-x", ":app", "a:b:c", "x\ny"])
def test_a_user_that_is_none_is_an_error(user: str) -> None:
    with pytest.raises(AssemblyError, match=r"config\.user"):
        resolve_user(user, [BASE_PASSWD])


def test_only_numbers_are_taken_where_the_users_are_not_known() -> None:
    assert resolve_user("1000", []) == User(1000, 1000, "", "/")
    assert resolve_user("1000:2000", []) == User(1000, 2000, "", "/")
    assert resolve_user("root", []).uid == 0
    for user in ("app", "1000:staff"):
        with pytest.raises(AssemblyError, match="not known here"):
            resolve_user(user, [])


def test_nothing_is_made_for_a_user_of_an_image_that_is_not_ours() -> None:
    assert finalised(package(), user="1000") == {}
