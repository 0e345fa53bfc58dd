"""The lock as text: what it holds, that it names no host, and how damage is refused."""

from __future__ import annotations

import pytest

from orchestrator.errors import LockError, OrchError
from orchestrator.lockfile import ImageLock, Lock, parse_lock
from orchestrator.lockwriting import format_lock
from tests.helpers import AMD64, ARM64, deb_of, wheel_of

LOCK = Lock(
    "3.11",
    "bookworm",
    {"bookworm": "2026-01-01"},
    {
        ("a.b", AMD64): ImageLock((deb_of("libstdc++6"),), (wheel_of("pure"),), "in"),
        ("a.b", ARM64): ImageLock((deb_of("tz", architecture="all"),), (), "in"),
        ("web", AMD64): ImageLock((), (wheel_of("np", tag="cp311-cp311-manylinux_x86_64"),)),
        ("web", ARM64): ImageLock((), (wheel_of("np", tag="cp311-cp311-manylinux_aarch64"),)),
        ("ml", AMD64): ImageLock(unavailable='no "wheel" of x\\y\n  for é'),
    },
)


def test_what_is_written_is_read_back() -> None:
    assert parse_lock(format_lock(LOCK)) == LOCK


def test_equal_locks_give_equal_text_whatever_their_order() -> None:
    turned = Lock(
        LOCK.python, LOCK.suite, LOCK.release_dates, dict(reversed(list(LOCK.images.items())))
    )
    assert format_lock(turned) == format_lock(LOCK)


def test_the_text_names_no_host() -> None:
    assert "://" not in format_lock(LOCK)


def test_a_package_that_two_images_add_is_listed_once() -> None:
    adds = ImageLock((deb_of("curl"),), (wheel_of("numpy"),))
    text = format_lock(Lock("3.11", "bookworm", {}, {("a", AMD64): adds, ("b", AMD64): adds}))
    assert text.count("[[deb]]") == text.count("[[wheel]]") == 1


def test_an_image_that_is_not_locked_says_what_to_run() -> None:
    with pytest.raises(LockError, match="gone is not locked for linux/amd64") as raised:
        LOCK.image("gone", AMD64)
    assert raised.value.hint == "run: orch lock"


@pytest.mark.parametrize("text", ["\x1b[31mred", "tab\there", "soft\xadhyphen", r"C:\x64 \\x"])
def test_why_an_image_is_unavailable_is_written_whatever_it_holds(text: str) -> None:
    lock = Lock("3.11", "bookworm", {}, {("a", AMD64): ImageLock(unavailable=text)})
    assert parse_lock(format_lock(lock)).image("a", AMD64).unavailable.isprintable()


def test_a_lock_of_a_newer_version_is_refused() -> None:
    with pytest.raises(LockError, match="is version 99, this orch reads up to 1"):
        parse_lock("version = 99\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a lock: it lacks"),
        ("<<<<<<< ours\n", "a merge conflict is not settled"),
        ("version = 'x'\n", "is not a lock"),
        ("version = 1\npython = '3.11'\n", "is not a lock: it lacks"),
        ("version = 1\npython = '3'\nsuite = 's'\nimage = 3", "is not a lock"),
        ("version = 1\npython = '3'\nsuite = 's'\ndeb = [{name = 'x'}]", "is not a lock"),
        ("version = " + "9" * 5000, "is not"),
        ("a = " + "[" * 5000, "is not"),
        (
            "version = 1\npython = '3'\nsuite = 's'\n[image.a.'linux/amd64'.debian]\ncurl = '1'",
            r"no \[\[deb\]\] for curl 1 on linux/amd64",
        ),
        (
            "version = 1\npython = '3'\nsuite = 's'\n[image.a.'linux/amd64'.python]\nx = '1'",
            r"no \[\[wheel\]\] for x 1 on linux/amd64",
        ),
    ],
)
def test_what_is_no_lock_is_refused(text: str, message: str) -> None:
    with pytest.raises(LockError, match=message) as raised:
        parse_lock(text)
    assert raised.value.hint


def test_a_lock_that_was_cut_short_is_refused_wherever_the_cut_is() -> None:
    text = format_lock(LOCK)
    for end in range(text.index("[[") + 1, len(text.rstrip())):
        with pytest.raises(OrchError):
            parse_lock(text[:end])


def test_a_lock_that_lost_an_image_s_package_in_a_merge_is_refused() -> None:
    text = format_lock(LOCK).replace('"libstdc++6" = "1.0"\n', "")
    with pytest.raises(LockError, match=r"no image adds libstdc\+\+6"):
        parse_lock(text)
