"""A layer's blob holds exactly its entries, and its digests are those of its bytes."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from orchestrator.errors import AssemblyError
from orchestrator.oci.joining import LayerWriter, directories_of, split_clashing
from orchestrator.oci.layer import Layer, what_made
from orchestrator.oci.segment import SegmentInfo, SegmentWriter
from orchestrator.oci.tar import END_OF_ARCHIVE, Entry, EntryKind
from tests.wheels import make_wheel

TMP = Entry("tmp", EntryKind.DIRECTORY, 0o1777)


def segment(path: Path, *entries: tuple[Entry, bytes]) -> SegmentInfo:
    with path.open("wb") as file:
        writer = SegmentWriter(file)
        for entry, data in entries:
            writer.add(entry, data)
        return writer.close()


def text(path: str, data: bytes = b"x") -> tuple[Entry, bytes]:
    return Entry(path, size_bytes=len(data)), data


def layer_of(*segments: tuple[Path, SegmentInfo]) -> tuple[Layer, bytes]:
    out = io.BytesIO()
    writer = LayerWriter(out, directories_of(info for _, info in segments))
    for path, info in segments:
        writer.append(path, info.crc32)
    return writer.close("sample", sum(info.unpacked_bytes for _, info in segments)), out.getvalue()


def names(blob: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(blob), mode="r:gz") as archive:
        return archive.getnames()


def test_digest_and_diff_id_are_those_of_the_blob_and_its_tar(tmp_path: Path) -> None:
    first = segment(tmp_path / "a", text("opt/a", b"a" * 3000))
    second = segment(tmp_path / "b", text("opt/b/c"))
    layer, blob = layer_of((tmp_path / "a", first), (tmp_path / "b", second))
    tar = gzip.decompress(blob)
    assert layer.digest == "sha256:" + hashlib.sha256(blob).hexdigest()
    assert layer.diff_id == "sha256:" + hashlib.sha256(tar).hexdigest()
    assert (layer.size_bytes, layer.unpacked_bytes) == (len(blob), 3001)
    assert tar.endswith(END_OF_ARCHIVE)


def test_a_layer_holds_its_segments_as_they_are(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, files={"sample.py": b"x = 1\n" * 300})
    info = segment(tmp_path / "a", text("opt/w.whl", wheel.read_bytes()))
    _, blob = layer_of((tmp_path / "a", info))
    assert (tmp_path / "a").read_bytes() in blob


def test_directories_lead_each_once_before_what_lies_in_them(tmp_path: Path) -> None:
    first = segment(tmp_path / "a", text("opt/venv/lib/x"), text("opt/venv/bin/y"))
    second = segment(tmp_path / "b", text("opt/venv/lib/z"))
    _, blob = layer_of((tmp_path / "a", first), (tmp_path / "b", second))
    directories = ["opt", "opt/venv", "opt/venv/bin", "opt/venv/lib"]
    assert names(blob) == [*directories, "opt/venv/lib/x", "opt/venv/bin/y", "opt/venv/lib/z"]


def test_a_directory_that_a_segment_ships_is_not_overwritten(tmp_path: Path) -> None:
    first = segment(tmp_path / "a", text("tmp/x"))
    second = segment(tmp_path / "b", (TMP, b""))
    _, blob = layer_of((tmp_path / "a", first), (tmp_path / "b", second))
    with tarfile.open(fileobj=io.BytesIO(blob), mode="r:gz") as archive:
        modes = [info.mode for info in archive if info.name == "tmp"]
    assert modes == [0o1777]


def test_a_directory_that_two_segments_ship_is_written_once(tmp_path: Path) -> None:
    first = segment(tmp_path / "a", (TMP, b""), text("tmp/x"))
    second = segment(tmp_path / "b", (Entry("tmp", EntryKind.DIRECTORY, 0o755), b""))
    _, blob = layer_of((tmp_path / "a", first), (tmp_path / "b", second))
    with tarfile.open(fileobj=io.BytesIO(blob), mode="r:gz") as archive:
        assert [(info.name, info.mode) for info in archive] == [("tmp", 0o1777), ("tmp/x", 0o644)]


@pytest.mark.parametrize(("path", "mode"), [("tmp", 0o1777), ("root", 0o700), ("var", 0o755)])
def test_a_directory_that_nobody_ships_has_the_mode_that_debian_gives(
    tmp_path: Path, path: str, mode: int
) -> None:
    info = segment(tmp_path / "a", text(f"{path}/x"))
    assert directories_of([info])[path].mode == mode


def test_segments_that_share_a_path_are_split_into_groups(tmp_path: Path) -> None:
    infos = {
        "a": segment(tmp_path / "a", text("x"), (TMP, b"")),
        "b": segment(tmp_path / "b", text("y"), (TMP, b"")),
        "c": segment(tmp_path / "c", text("x", b"other")),
        "d": segment(tmp_path / "d", text("y")),
    }
    assert split_clashing(infos) == [["a", "b"], ["c", "d"]]


def test_entries_of_its_own_count_in_what_a_layer_unpacks_to() -> None:
    out = io.BytesIO()
    writer = LayerWriter(out, {"tmp": TMP})
    writer.segment.add(*text("tmp/x", b"abc"))
    assert writer.close("files").unpacked_bytes == 3
    assert names(out.getvalue()) == ["tmp", "tmp/x"]


@pytest.mark.parametrize(
    "damage", ["flip", "flip in header", "cut", "garbage", "empty", "first member", "doubled"]
)
def test_a_damaged_segment_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a"
    info = segment(path, text("x", b"abc" * 1000), text("d/" * 99 + "y"))
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 0x55
    member = bytes(data[: data.find(b"\x1f\x8b\x08\0\0\0\0", 1)])
    damaged = {
        "flip": bytes(data),
        "flip in header": bytes([*data[:4], data[4] ^ 1, *data[5:]]),
        "cut": bytes(data[:-9]),
        "garbage": b"no gzip",
        "empty": b"",
        "first member": member,
        "doubled": bytes(data * 2),
    }
    path.write_bytes(damaged[damage])
    with pytest.raises(AssemblyError, match="damaged"):
        layer_of((path, info))


def test_a_descriptor_says_what_the_layer_unpacks_to() -> None:
    descriptor = Layer("sha256:a", "sha256:b", 5, 9, "x").descriptor
    assert descriptor["mediaType"] == "application/vnd.oci.image.layer.v1.tar+gzip"
    assert descriptor["annotations"] == {"io.orch.unpacked-bytes": "9"}


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("orch: files", "files"),
        ("COPY app /app # buildkit", "COPY app /app # buildkit"),
        ("RUN |1 T=s3cret /bin/sh -c make # buildkit", "RUN /bin/sh -c make # buildkit"),
        ("|2 T=s3cret /bin/sh -c s3cret U=b /bin/sh -c make", "RUN /bin/sh -c make"),
        ("RUN |1 T=s3cret /bin/bash -c make # buildkit", "RUN"),
    ],
)
def test_what_made_a_layer_is_said_without_values_of_build_arguments(row: str, what: str) -> None:
    assert what_made(row) == what
