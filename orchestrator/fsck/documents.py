"""Small files that say what others hold, and segments, which they vouch for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from isal import isal_zlib

from orchestrator.fsck.finding import Fault, Finding, Where, seen, unreadable
from orchestrator.oci.layer import Layer
from orchestrator.oci.segment import CHUNK, SegmentInfo
from orchestrator.paths import Paths
from orchestrator.wheelhouse.records import read_record

_NO_JSON = "it is not what orch writes"


def check_documents(paths: Paths) -> Iterator[Finding]:
    """Find what says nothing: of layers, of wheels that were built, of where wheels lie."""
    layers = paths.cache.glob("layers/??/*.json")
    yield from _check_each(Where.CACHE, layers, _read_layers)
    yield from _check_each(Where.CACHE, [paths.hadolint_remarks], _read_table)
    built = paths.wheelhouse.glob("built/*.json")
    yield from _check_each(Where.WHEELHOUSE, built, _read_built)
    tools = paths.wheelhouse.glob("tools/*.json")
    yield from _check_each(Where.WHEELHOUSE, [*tools, paths.wheel_places], _read_table)


def _check_each(
    where: Where, files: Iterable[Path], read: Callable[[Path], object]
) -> Iterator[Finding]:
    for file in sorted(files):
        try:
            read(file)
        except FileNotFoundError:
            continue
        except OSError as error:
            yield unreadable(where, file, error.strerror)
        except (ValueError, TypeError):
            yield unreadable(where, file, _NO_JSON)


def _read_layers(file: Path) -> list[Layer]:
    return [Layer(**row) for row in json.loads(file.read_bytes())]


def _read_built(file: Path) -> None:
    file.stat()
    if read_record(file) is None:
        raise ValueError(file)


def _read_table(file: Path) -> None:
    if not isinstance(json.loads(file.read_bytes()), dict):
        raise TypeError(file)


def find_segments(cache: Path) -> list[Path]:
    """Return the files that say what segments hold."""
    return sorted(cache.glob("segments/??/*.json"))


def check_segment(file: Path, on_bytes: Callable[[int], None]) -> Iterator[Finding]:
    """Find out whether a segment is what is said of it; its bytes need not be kept.

    A segment goes with what vouches for it: then it is made anew.
    """
    content = file.with_suffix(".gz")
    try:
        info = SegmentInfo.from_json(file.read_text("utf-8"))
        found = _crc32(content, on_bytes)
    except FileNotFoundError:
        return
    except OSError as error:
        yield unreadable(Where.CACHE, Path(error.filename or file), error.strerror, file)
    except ValueError:
        yield unreadable(Where.CACHE, file, _NO_JSON)
    else:
        if found != info.crc32:
            what = "has other bytes than were written: their checksum is another"
            drops = (*seen(file), *seen(content))
            yield Finding(Where.CACHE, Fault.DAMAGED, content, what, drops)


def _crc32(file: Path, on_bytes: Callable[[int], None]) -> int:
    found = 0
    with file.open("rb", 0) as content:
        while chunk := content.read(CHUNK):
            found = isal_zlib.crc32(chunk, found)
            on_bytes(len(chunk))
    return found
