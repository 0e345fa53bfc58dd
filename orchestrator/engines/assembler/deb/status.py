"""What scanners read of a package: its stanza and sums in var/lib/dpkg/status.d."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.engines.assembler.deb.paths import canonical, is_left_out
from orchestrator.model import LockedDeb
from orchestrator.oci.segment import SegmentWriter
from orchestrator.oci.tar import Entry

STATUS_FOLDER = "var/lib/dpkg/status.d"


def write_status(deb: LockedDeb, control: Mapping[str, str], writer: SegmentWriter) -> None:
    """Write what scanners read: the control stanza, and the sums of the files that are there.

    Raises:
        OSError: The segment cannot be written.
    """
    stanza = control["control"].rstrip("\n").split("\n", 1)
    status = "\n".join([stanza[0], "Status: install ok installed", *stanza[1:]]) + "\n"
    _add_text(writer, f"{STATUS_FOLDER}/{deb.name}", status)
    if sums := _present_sums(control.get("md5sums", "")):
        _add_text(writer, f"{STATUS_FOLDER}/{deb.name}.md5sums", sums)


def _present_sums(md5sums: str) -> str:
    lines = []
    for line in md5sums.splitlines():
        digest, _, path = line.partition("  ")
        if path and not is_left_out(canonical(path)):
            lines.append(f"{digest}  {canonical(path)}\n")
    return "".join(lines)


def _add_text(writer: SegmentWriter, path: str, text: str) -> None:
    data = text.encode()
    writer.add(Entry(path, size_bytes=len(data)), data)
