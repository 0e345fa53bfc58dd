"""Any lock survives being written and read; no text makes reading fail in an unknown way."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import LockError, OrchError
from orchestrator.externals import LockedExternal
from orchestrator.lockfile import ImageLock, Lock, parse_lock
from orchestrator.lockwriting import format_lock
from orchestrator.model import LockedDeb, LockedWheel, Platform
from tests.helpers import AMD64, ARM64, deb_of, wheel_of

IMAGE_NAMES = st.from_regex(r"[a-z0-9]{1,6}([._-][a-z0-9]{1,6}){0,2}", fullmatch=True)
DEB_NAMES = st.from_regex(r"[a-z0-9][a-z0-9+.-]{1,8}", fullmatch=True)
WHEEL_NAMES = st.from_regex(r"[a-z0-9]{1,6}(-[a-z0-9]{1,4})?", fullmatch=True)
VERSIONS = st.from_regex(r"([0-9]:)?[0-9][0-9a-z.+~-]{0,8}", fullmatch=True)
TEXT = st.text(
    st.characters(exclude_categories=["C", "Z"], include_characters=" \n", exclude_characters="\\"),
    max_size=30,
)
TAGS = {AMD64: "cp311-cp311-manylinux_x86_64", ARM64: "cp311-cp311-manylinux_aarch64"}


@st.composite
def image_locks(draw: st.DrawFn, platform: Platform) -> ImageLock:
    """Draw what an image adds; whether a package is of one platform follows from its name."""
    debs: list[LockedDeb] = []
    for name, version in sorted(draw(st.dictionaries(DEB_NAMES, VERSIONS, max_size=4)).items()):
        debs.append(deb_of(name, version, "all" if len(name) % 2 else platform.debian))
    wheels: list[LockedWheel] = []
    for name, version in sorted(draw(st.dictionaries(WHEEL_NAMES, VERSIONS, max_size=4)).items()):
        wheels.append(wheel_of(name, version, "py3-none-any" if len(name) % 2 else TAGS[platform]))
    return ImageLock(tuple(debs), tuple(wheels), draw(TEXT), draw(TEXT))


@st.composite
def locks(draw: st.DrawFn) -> Lock:
    images = {
        (name, platform): draw(image_locks(platform))
        for name in draw(st.lists(IMAGE_NAMES, max_size=4, unique=True))
        for platform in draw(st.sampled_from([[AMD64], [ARM64], [AMD64, ARM64]]))
    }
    dates = draw(st.dictionaries(IMAGE_NAMES, TEXT, max_size=2))
    pins = draw(st.dictionaries(IMAGE_NAMES, st.sampled_from(["", f"sha256:{1:064}"]), max_size=3))
    externals = tuple(
        LockedExternal(name, digest, "" if digest else draw(TEXT))
        for name, digest in sorted(pins.items())
    )
    return Lock(draw(TEXT), draw(TEXT), dates, images, externals=externals)


@settings(max_examples=50)
@given(locks())
def test_a_lock_is_read_back_as_it_was_written(lock: Lock) -> None:
    assert parse_lock(format_lock(lock)) == lock


@settings(max_examples=50)
@given(locks())
def test_writing_what_was_read_gives_the_same_text(lock: Lock) -> None:
    text = format_lock(lock)
    assert format_lock(parse_lock(text)) == text


@settings(max_examples=50)
@given(locks(), st.data())
def test_a_lock_whose_lines_were_lost_is_refused_or_still_a_lock(
    lock: Lock, data: st.DataObject
) -> None:
    lines = format_lock(lock).splitlines()
    kept = [line for line in lines if data.draw(st.integers(0, 9))]
    try:
        found = parse_lock("\n".join(kept))
    except OrchError:
        return
    assert isinstance(found, Lock)


@given(st.text())
def test_no_text_is_refused_with_another_error(text: str) -> None:
    with contextlib.suppress(LockError):
        parse_lock(text)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_why_an_image_is_unavailable_may_hold_any_text(text: str) -> None:
    lock = Lock("3.11", "bookworm", {}, {("a", AMD64): ImageLock(unavailable=f"no wheel {text}")})
    found = parse_lock(format_lock(lock)).image("a", AMD64).unavailable
    assert len(found) == len(f"no wheel {text}")
