"""What no wheel may be or hold is refused, by the wheel's name."""

from __future__ import annotations

import base64
import hashlib
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.engines.assembler.wheel.archive import Pieces, WheelArchive
from orchestrator.engines.assembler.wheel.segment import record_form
from orchestrator.errors import ArtifactError
from tests.wheels import lay_wheel, make_wheel, record_hash

ZEROS = bytes(70 << 20)


def refusal(wheel: Path) -> ArtifactError:
    with pytest.raises(ArtifactError) as caught:
        lay_wheel(wheel)
    assert caught.value.message.startswith(f"{wheel.name}: ")
    assert caught.value.hint
    return caught.value


def patched(wheel: Path, path: str, patch: Callable[[bytearray, int, int], None]) -> Path:
    """Apply a patch, given the offsets of a member's local header and of its central one."""
    data = bytearray(wheel.read_bytes())
    with zipfile.ZipFile(wheel) as archive:
        local = archive.getinfo(path).header_offset
    central = data.index(b"PK\1\2")
    while data[central + 46 : central + 46 + len(path)] != path.encode():
        central = data.index(b"PK\1\2", central + 4)
    patch(data, local, central)
    wheel.write_bytes(data)
    return wheel


def put(field: int, form: str, value: int) -> Callable[[bytearray, int, int], None]:
    """Return a patch of a field, given by its offset in the central header, in both headers."""

    def patch(data: bytearray, local: int, central: int) -> None:
        struct.pack_into(form, data, central + field, value)
        struct.pack_into(form, data, local + field - 2, value)

    return patch


def test_members_carry_size_mode_and_place(tmp_path: Path) -> None:
    wheel = make_wheel(
        tmp_path,
        files={"sample/a.py": b"x = 1\n", "sample/run": b"#!/bin/sh\n"},
        executable=["sample/run"],
        stored=["sample/run"],
    )
    with WheelArchive(wheel, wheel.name) as archive:
        a, run, *_ = archive.members()
        assert (a.path, a.size_bytes, a.is_deflated, a.is_executable) == (
            "sample/a.py",
            6,
            True,
            False,
        )
        assert (run.is_deflated, run.is_executable) == (False, True)
        assert b"".join(piece.plain for piece in archive.pieces(a)) == b"x = 1\n"
        assert archive.text("WHEEL")
        assert archive.text("nothing") is None
        assert archive.dist_info == "sample-1.0.dist-info"


def test_pieces_of_a_big_member_join_to_what_the_zip_holds(tmp_path: Path) -> None:
    data = b"".join(hashlib.sha256(bytes([n % 256, n // 256])).digest() for n in range(1 << 16)) * 2
    wheel = make_wheel(tmp_path, files={"big.bin": data})
    with WheelArchive(wheel, wheel.name) as archive:
        member = archive.members()[0]
        pieces = list(archive.pieces(member))
    assert len(pieces) > 1
    assert b"".join(piece.plain for piece in pieces) == data


def test_a_file_that_record_gives_another_hash_is_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, files={"a.py": b"x"}, record={"a.py": record_hash(b"y")})
    assert "a.py is sha256=" in refusal(wheel).message


def test_a_padded_hash_in_record_is_taken(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, files={"a.py": b"x"}, record={"a.py": record_hash(b"x") + "="})
    lay_wheel(wheel)


@pytest.mark.parametrize("digest", ["", "md5=abc", "sha1=abc", "sha512=abc"])
def test_a_file_that_record_gives_no_good_hash_is_refused(tmp_path: Path, digest: str) -> None:
    wheel = make_wheel(tmp_path, files={"a.py": b"x"}, record={"a.py": digest})
    assert "a.py" in refusal(wheel).message


def test_a_longer_hash_than_sha256_is_checked(tmp_path: Path) -> None:
    digest = base64.urlsafe_b64encode(hashlib.sha512(b"x").digest()).rstrip(b"=").decode()
    lay_wheel(make_wheel(tmp_path, files={"a.py": b"x"}, record={"a.py": f"sha512={digest}"}))


def test_a_file_that_record_does_not_name_is_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, files={"a.py": b"x"}, record={"a.py": None})
    assert "a.py is not in RECORD" in refusal(wheel).message


def test_signatures_of_record_need_no_row(tmp_path: Path) -> None:
    name = "sample-1.0.dist-info/RECORD.jws"
    lay_wheel(make_wheel(tmp_path, files={name: b"{}"}, record={name: None}))


def test_a_wheel_without_record_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "sample-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("sample-1.0.dist-info/WHEEL", "")
    assert "no RECORD" in refusal(wheel).message


@pytest.mark.parametrize("record", ["a,b\n", "x,sha256=a,1,2,3\n"])
def test_a_record_that_is_none_is_refused(tmp_path: Path, record: str) -> None:
    wheel = tmp_path / "sample-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("sample-1.0.dist-info/RECORD", record)
    assert "RECORD cannot be read" in refusal(wheel).message


@pytest.mark.parametrize(
    "path",
    [
        "../evil.py",
        "a/../../evil.py",
        "/etc/passwd",
        "..\\evil.py",
        "a\\b.py",
        "sample-1.0.data/data/../../x",
        "./a.py",
        "a//b.py",
    ],
)
def test_a_path_that_may_leave_the_target_is_refused(tmp_path: Path, path: str) -> None:
    assert repr(path) in refusal(make_wheel(tmp_path, files={path: b"x"})).message


def test_a_path_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, files={"a.py": b"x"})
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("a.py", b"x")
    assert "a.py" in refusal(wheel).message


def test_a_file_that_inflates_out_of_measure_is_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, files={"bomb.bin": ZEROS})
    assert "bomb.bin inflates" in refusal(wheel).message


def test_a_small_file_may_inflate_a_lot(tmp_path: Path) -> None:
    info, _ = lay_wheel(make_wheel(tmp_path, files={"zeros.bin": bytes(1 << 20)}))
    assert info.unpacked_bytes > 1 << 20


@pytest.mark.parametrize("size", [3, 5000, 20_000])
def test_a_size_that_is_not_that_of_the_data_is_refused(tmp_path: Path, size: int) -> None:
    wheel = make_wheel(tmp_path, files={"a.bin": bytes(range(250)) * 40})
    patched(wheel, "a.bin", put(24, "<L", size))
    assert "a.bin is not of the size" in refusal(wheel).message


def test_a_crc_that_is_not_that_of_the_data_is_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, files={"a.bin": b"abc" * 100})
    patched(wheel, "a.bin", put(16, "<L", 12345))
    assert "checksum" in refusal(wheel).message


def test_damaged_data_is_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, files={"a.bin": bytes(range(250)) * 40})

    def patch(data: bytearray, local: int, central: int) -> None:
        data[local + 40 : local + 60] = b"\xff" * 20

    assert "a.bin is" in refusal(patched(wheel, "a.bin", patch)).message


def test_bytes_behind_the_end_of_deflate_data_are_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, record={"a.bin": record_hash(b"abc" * 100)})
    with zipfile.ZipFile(wheel, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.bin", b"abc" * 100)
        archive.start_dir += 8  # where the directory will be

    def patch(data: bytearray, local: int, central: int) -> None:
        (size,) = struct.unpack_from("<L", data, central + 20)
        struct.pack_into("<L", data, central + 20, size + 8)

    assert "a.bin is not of the size" in refusal(patched(wheel, "a.bin", patch)).message


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(tmp_path: Path, method: int) -> None:
    wheel = make_wheel(tmp_path, files={})
    with zipfile.ZipFile(wheel, "a", method) as archive:
        archive.writestr("a.py", b"x")
    assert "a.py is stored in a way" in refusal(wheel).message


def test_encrypted_members_are_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, files={"a.py": b"x"})
    patched(wheel, "a.py", put(8, "<H", 1))
    assert "a.py is stored in a way" in refusal(wheel).message


def test_an_encrypted_record_is_refused(tmp_path: Path) -> None:
    wheel = patched(make_wheel(tmp_path), "sample-1.0.dist-info/RECORD", put(8, "<H", 1))
    assert "RECORD" in refusal(wheel).message


@pytest.mark.parametrize("offset", [0xFFFF, 60])
def test_a_member_that_lies_nowhere_is_refused(tmp_path: Path, offset: int) -> None:
    wheel = make_wheel(tmp_path, files={"a.py": b"x", "b.py": b"y"})

    def patch(data: bytearray, local: int, central: int) -> None:
        struct.pack_into("<L", data, central + 42, offset)

    assert "b.py lies outside" in refusal(patched(wheel, "b.py", patch)).message


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.99])
def test_a_wheel_that_was_cut_short_is_refused(tmp_path: Path, kept: float) -> None:
    wheel = make_wheel(tmp_path, files={"a.py": b"x = 1\n" * 99})
    data = wheel.read_bytes()
    wheel.write_bytes(data[: int(kept if kept > 1 else kept * len(data))])
    assert "is no wheel" in refusal(wheel).message


def test_a_zip_that_is_another_project_is_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "other")
    renamed = wheel.rename(tmp_path / "sample-1.0-py3-none-any.whl")
    assert "is no wheel" in refusal(renamed).message


@pytest.mark.parametrize("path", ["sample-1.0.data/lib/x", "sample-1.0.data/x"])
def test_a_scheme_that_nobody_knows_is_refused(tmp_path: Path, path: str) -> None:
    assert "no installation scheme" in refusal(make_wheel(tmp_path, files={path: b"x"})).message


def test_a_digest_is_written_as_record_writes_it() -> None:
    assert record_form("sha256", hashlib.sha256(b"abc").digest()) == record_hash(b"abc")


def test_pieces_are_read_across_their_ends_as_one_file() -> None:
    data = bytes(range(100))
    pieces = Pieces([data[:10], data[10:11], b"", data[11:60], data[60:]])
    for start, size in ((0, 100), (5, 3), (9, 4), (10, 1), (55, 10), (98, 50), (100, 1)):
        assert pieces.seek(start) == start
        assert pieces.read(size) == data[start : start + size]
    pieces.seek(8)
    assert pieces.read(4) + pieces.read(4) == data[8:16]
