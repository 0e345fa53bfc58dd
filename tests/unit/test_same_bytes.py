"""The same content has the same bytes in every process, and with every version of `orch`."""

from __future__ import annotations

import hashlib
import io
import random
import subprocess
import sys
from pathlib import Path

from orchestrator.engines.assembler.store import FORMAT
from orchestrator.oci.segment import SegmentWriter
from orchestrator.oci.tar import Entry

_KNOWN = {5: "d5e9c51e38578f00"}
"""How the digest of the segments below begins, by the format that says how they are written."""

_SEGMENTS = 2_000
_WORDS = (
    b"import ",
    b"return ",
    b"self.",
    b"None",
    b"\n    ",
    b"def ",
    b"0x%x",
    b"(",
    b"):\n",
    b" ",
)


def digest_of_segments(count: int) -> str:
    """Return one digest of many small segments, which are the same at every call."""
    dice = random.Random(9)
    digest = hashlib.sha256()
    for number in range(count):
        data = b"".join(dice.choices(_WORDS, k=dice.randrange(20, 200)))
        out = io.BytesIO()
        writer = SegmentWriter(out)
        writer.add(Entry(f"file-{number}", size_bytes=len(data)), data)
        writer.close()
        digest.update(out.getvalue())
    return digest.hexdigest()


def test_processes_write_the_same_bytes_wherever_their_memory_lies() -> None:
    code = (
        f"from tests.unit.test_same_bytes import digest_of_segments as of; print(of({_SEGMENTS}))"
    )
    root = Path(__file__).parents[2]
    running = [
        subprocess.Popen([sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = {process.communicate()[0].strip() for process in running}
    assert said == {digest_of_segments(_SEGMENTS)}


def test_other_bytes_come_with_another_format_of_the_store() -> None:
    assert digest_of_segments(100).startswith(_KNOWN[FORMAT])
