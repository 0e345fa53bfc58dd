"""Whatever a tar archive says of itself is refused with a reason, in bounded memory and time."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
import tracemalloc
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.attest.found import LayerReader
from orchestrator.differences.layers import FileReader
from orchestrator.engines.assembler.deb.reader import open_deb
from orchestrator.engines.assembler.ground import read_ground
from orchestrator.errors import ArtifactError, OrchError
from orchestrator.oci import reading
from orchestrator.oci.imported import import_archive
from orchestrator.oci.layout import Layout
from orchestrator.verify.layers import read_layer
from orchestrator.wheelhouse.sdist import read_build_requires, unpack_sdist
from tests.debs import ar_of, file, tar_of
from tests.hostile.tars import END, GOOD, ODD, header, octal

CONTROL = tar_of([file("./control", b"Package: a\nVersion: 1\n")])


def read_deb(parts: dict[str, bytes], folder: Path) -> None:
    deb = folder / "a.deb"
    deb.write_bytes(ar_of({"debian-binary": b"2.0\n", **parts}))
    with open_deb(deb, "sample") as archive:
        for member in archive.members():
            deque(member.chunks, maxlen=0)


def read_deb_data(packed: bytes, folder: Path) -> None:
    read_deb({"control.tar": CONTROL, "data.tar.gz": packed}, folder)


def read_deb_control(packed: bytes, folder: Path) -> None:
    read_deb({"control.tar.gz": packed, "data.tar": GOOD + END}, folder)


def write(packed: bytes, folder: Path) -> Path:
    file = folder / "a-1.0.tar.gz"
    file.write_bytes(packed)
    return file


def count_packages(packed: bytes, folder: Path) -> None:
    if LayerReader().find([write(packed, folder)]).unread:
        raise ArtifactError("a layer was not read", hint="it is counted in the SBOM")


def import_saved(packed: bytes, folder: Path) -> None:
    with gzip.open(io.BytesIO(packed)) as plain:
        import_archive(Layout(folder / "layout"), iter(lambda: plain.read(1 << 18), b""))


PARSERS: dict[str, Callable[[bytes, Path], object]] = {
    "the data of a Debian package": read_deb_data,
    "the control files of a Debian package": read_deb_control,
    "an sdist": lambda packed, at: unpack_sdist(write(packed, at), "a", at / "out"),
    "what an sdist asks for": lambda packed, at: read_build_requires(write(packed, at), "a"),
    "a layer that is verified": lambda packed, at: read_layer(write(packed, at)),
    "a layer that is compared": lambda packed, at: FileReader().read([write(packed, at)]),
    "a layer that is stood on": lambda packed, at: read_ground([write(packed, at)]),
    "a layer that is listed": count_packages,
    "an image of an engine": import_saved,
}
"""What reads an archive, given it packed with gzip, and a folder to work in."""


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("odd", ODD)
def test_an_archive_that_lies_about_itself_is_refused_with_a_reason(
    tmp_path: Path, odd: str, parser: str
) -> None:
    with pytest.raises(OrchError) as refused:
        PARSERS[parser](gzip.compress(ODD[odd]), tmp_path)
    assert refused.value.hint


@pytest.mark.parametrize("parser", PARSERS)
def test_more_members_than_anybody_packs_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parser: str
) -> None:
    monkeypatch.setattr(reading, "MOST_MEMBERS", 10)
    many = b"".join(header(f"root/{number}") for number in range(11)) + END
    with pytest.raises(OrchError):
        PARSERS[parser](gzip.compress(many), tmp_path)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
@pytest.mark.parametrize("parser", PARSERS)
def test_a_giant_header_is_not_read(tmp_path: Path, parser: str, kind: bytes) -> None:
    size = 48 << 20
    giant = gzip.compress(GOOD + header("x", kind, octal(size)) + bytes(size) + END, 1)
    tracemalloc.start()
    try:
        with pytest.raises(OrchError):
            PARSERS[parser](giant, tmp_path)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < size


def test_xz_data_of_several_streams_is_read_to_its_end() -> None:
    data = lzma.compress(b"one") + bytes(8) + lzma.compress(b"two")
    read = reading.XzReader(io.BytesIO(data))
    assert b"".join(iter(lambda: read.read(2), b"")) == b"onetwo"
