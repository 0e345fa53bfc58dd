"""Segments and layers are kept by key: whole or not at all, and made anew when damaged."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from orchestrator.engines.assembler.store import Data, FileData, Store, key_of
from orchestrator.errors import AssemblyError
from orchestrator.oci.segment import SegmentWriter
from orchestrator.oci.tar import Entry, EntryKind


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def make(store: Store, key: str, text: bytes = b"x") -> None:
    store.make_segment(key, lambda w: w.add(Entry(f"opt/{key}", size_bytes=len(text)), text))


def test_a_key_tells_lists_strings_and_their_order_apart() -> None:
    keys = [key_of(), key_of("a"), key_of("a", "b"), key_of("b", "a"), key_of(["a", "b"])]
    keys += [key_of("ab"), key_of(["a"], "b"), key_of(1), key_of("1")]
    assert len(set(keys)) == len(keys)
    assert key_of("a", ("b", "c")) == key_of("a", ["b", "c"])


def test_a_segment_is_made_once(store: Store) -> None:
    make(store, "a", b"first")
    make(store, "a", b"second")
    assert b"first" in gzip.decompress(store.segment_path("a").read_bytes())


def test_a_segment_whose_making_fails_is_not_there(store: Store) -> None:
    def fail(writer: SegmentWriter) -> None:
        writer.add(Entry("x"))
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        store.make_segment("a", fail)
    assert not store.has_segment("a")
    assert not list(store.folder.rglob("*.gz"))


@pytest.mark.parametrize("lost", [".gz", ".json"])
def test_half_a_segment_is_not_there(store: Store, lost: str) -> None:
    make(store, "a")
    (file,) = store.folder.rglob(f"a{lost}")
    file.unlink()
    assert not store.has_segment("a")


def test_a_layer_is_found_again_by_its_key(store: Store) -> None:
    make(store, "a")
    make(store, "b")
    assert store.find_layers("ab") == ()
    (layer,) = store.join_segments("ab", ["a", "b"], "two")
    assert store.find_layers("ab") == (layer,)
    blob = store.blob_path(layer.digest).read_bytes()
    assert layer.digest == "sha256:" + hashlib.sha256(blob).hexdigest()
    with tarfile.open(fileobj=io.BytesIO(blob), mode="r:gz") as archive:
        assert archive.getnames() == ["opt", "opt/a", "opt/b"]


def test_segments_that_share_a_path_become_several_layers(store: Store) -> None:
    make(store, "a")
    store.make_segment("b", lambda writer: writer.add(Entry("opt/a", size_bytes=1), b"y"))
    layers = store.join_segments("ab", ["a", "b"], "two")
    assert len(layers) == 2
    assert store.find_layers("ab") == layers


@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_a_layer_without_its_whole_blob_is_not_there(store: Store, damage: str) -> None:
    make(store, "a")
    blob = store.blob_path(store.join_segments("k", ["a"], "one")[0].digest)
    if damage == "gone":
        blob.unlink()
    else:
        blob.write_bytes(blob.read_bytes()[:-1])
    assert store.find_layers("k") == ()


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[{"digest": "x"}]', "null"])
def test_a_damaged_note_of_a_layer_is_no_layer(store: Store, text: str) -> None:
    make(store, "a")
    store.join_segments("kk", ["a"], "one")
    (note,) = (store.folder / "layers").rglob("kk.json")
    note.write_text(text)
    assert store.find_layers("kk") == ()


@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_a_damaged_segment_is_thrown_away_and_made_anew(store: Store, damage: str) -> None:
    make(store, "a", b"some text" * 99)
    path = store.segment_path("a")
    data = path.read_bytes()
    wrong = bytes(255 - byte for byte in data[30:60])
    damaged = {"flip": data[:30] + wrong + data[60:], "cut": data[:-7], "empty": b""}
    path.write_bytes(damaged[damage])
    with pytest.raises(AssemblyError, match="damaged") as caught:
        store.join_segments("k", ["a"], "one")
    assert "build again" in caught.value.hint
    assert not store.has_segment("a")
    assert store.find_layers("k") == ()
    make(store, "a", b"some text" * 99)
    assert path.read_bytes() == data
    assert store.join_segments("k", ["a"], "one")


def test_a_damaged_description_of_a_segment_is_thrown_away(store: Store) -> None:
    make(store, "a")
    (note,) = store.folder.rglob("a.json")
    note.write_text("{")
    with pytest.raises(AssemblyError, match="damaged and was thrown away"):
        store.read_info("a")
    assert not store.has_segment("a")


def test_entries_become_a_layer_with_the_folders_that_lead_to_them(
    store: Store, tmp_path: Path
) -> None:
    data = b"12345" * 1000
    (tmp_path / "source").write_bytes(data)
    source = FileData(tmp_path / "source", hashlib.sha256(data).hexdigest())
    entries: list[tuple[Entry, Data]] = [
        (Entry("app/tmp", EntryKind.DIRECTORY, 0o1777), b""),
        (Entry("app/tmp/x", size_bytes=len(data)), source),
    ]
    layer = store.write_entries("k", entries, "files")
    with tarfile.open(store.blob_path(layer.digest)) as archive:
        assert [(i.name, i.mode) for i in archive] == [
            ("app", 0o755),
            ("app/tmp", 0o1777),
            ("app/tmp/x", 0o644),
        ]
    assert layer.unpacked_bytes == len(data)


@pytest.mark.parametrize("now", [b"12344", b"1234", b"123456"])
def test_a_file_that_changed_since_it_was_looked_at_is_refused(
    store: Store, tmp_path: Path, now: bytes
) -> None:
    (tmp_path / "source").write_bytes(now)
    source = FileData(tmp_path / "source", hashlib.sha256(b"12345").hexdigest())
    with pytest.raises(AssemblyError, match="changed while"):
        store.write_entries("k", [(Entry("x", size_bytes=5), source)], "files")
    assert store.find_layers("k") == ()
