"""Inventories: what the packages of one layer hold, as a document that goes beside an image.

With it another machine checks libraries and paths against packages that it does not have.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator, Sequence

from orchestrator.engines.assembler.contents import Part, package_groups
from orchestrator.engines.assembler.segments import joined_key
from orchestrator.engines.assembler.store import Store
from orchestrator.oci.segment import SegmentInfo

_MOST_BYTES = 256 << 20
_BYTECODE = ".pyc"


def inventories_of(part: Part) -> dict[str, Sequence[str]]:
    """Return the keys of the segments of each layer of an image's packages, by the layer's key."""
    return {joined_key(keys): keys for _, keys in package_groups(part)}


def pack_inventory(store: Store, keys: Sequence[str]) -> bytes | None:
    """Return what segments hold, compressed; None where that is not known here.

    Bytecode is left out: it follows from what is there.
    """
    if not all(store.has_info(key) for key in keys):
        return None
    return lzma.compress("".join(_lines(store, keys)).encode())


def _lines(store: Store, keys: Sequence[str]) -> Iterator[str]:
    for key in keys:
        info = store.read_info(key)
        entries = [entry for entry in info.entries if not entry.path.endswith(_BYTECODE)]
        told = SegmentInfo(entries, info.unpacked_bytes, info.crc32, info.notes)
        yield f"{key} {told.to_json()}\n"


def unpack_inventory(data: bytes, keys: Sequence[str]) -> dict[str, SegmentInfo]:
    """Return what `pack_inventory` was given, by the keys of the segments.

    Raises:
        ValueError: It is not an inventory of these segments.
    """
    try:
        text = lzma.LZMADecompressor().decompress(data, _MOST_BYTES).decode()
    except (lzma.LZMAError, EOFError) as error:
        raise ValueError(f"not an inventory: {error}") from error
    rows = (line.partition(" ") for line in text.splitlines())
    infos = {key: SegmentInfo.from_json(document) for key, _, document in rows}
    if set(infos) != set(keys):
        raise ValueError("an inventory of other packages")
    return infos
