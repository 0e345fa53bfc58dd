"""What is kept of wheels, as text and as documents."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from orchestrator.report.text import format_bytes
from orchestrator.wheelhouse.kept import Kept
from orchestrator.wheelhouse.why import Why


def kept_lines(kept: Sequence[Kept]) -> list[str]:
    """Return a table: file, size, how it came, when it was last used, whether the lock has it."""
    rows = [("FILE", "SIZE", "FROM", "USED", "LOCK")]
    for item in kept:
        used = f"{datetime.fromtimestamp(item.used_s, UTC):%Y-%m-%d}"
        size, locked = format_bytes(item.size_bytes), "yes" if item.is_locked else "no"
        rows.append((item.file, size, item.origin.value, used, locked))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def kept_summary(kept: Sequence[Kept]) -> str:
    """Return how many files there are, and their size."""
    return f"{len(kept)} files, {format_bytes(sum(item.size_bytes for item in kept))}"


def kept_document(item: Kept) -> dict[str, Any]:
    """Return one file of `orch.wheels-list/1` and `orch.wheels-gc/1`."""
    return {
        "name": item.name,
        "version": item.version,
        "file": item.file,
        "sha256": item.sha256,
        "size_bytes": item.size_bytes,
        "from": item.origin.value,
        "used": datetime.fromtimestamp(item.used_s, UTC).isoformat(timespec="seconds"),
        "locked": item.is_locked,
    }


def why_lines(why: Why) -> list[str]:
    """Return what is known of a wheel, a line a fact."""
    wheel, build = why.wheel, why.build
    lines = [f"{wheel.name} {wheel.version} ({why.platform})"]
    facts = [("held by", ", ".join(why.images)), ("file", _file(why))]
    if build is None:
        facts.append(("from", "a package index"))
    else:
        facts.append(("built from", f"{build.sdist.file}  sha256 {build.sdist.sha256}"))
        needs = [f"{item.name} {item.version}" for item in build.requires]
        facts += [("needs", ", ".join(needs))] if needs else []
        facts += [("system", ", ".join(build.system))] if build.system else []
        facts += [("variables", ", ".join(build.env))] if build.env else []
        facts += [("with", build.compiler)] if build.compiler else []
    facts.append(("lies", _lies(why)))
    for record, differs in why.before:
        another = f"other {' and '.join(differs)}" if differs else "as the lock says"
        facts.append(("built here", f"{record.file}  sha256 {record.sha256[:12]}  {another}"))
    return [*lines, *(f"  {name:<11} {value}" for name, value in facts)]


def why_document(why: Why) -> dict[str, Any]:
    """Return one file of `orch.wheels-why/1`."""
    wheel, build = why.wheel, why.build
    return {
        "name": wheel.name,
        "version": wheel.version,
        "platform": why.platform.key,
        "images": list(why.images),
        "file": wheel.file,
        "sha256": wheel.sha256,
        "size_bytes": wheel.size_bytes,
        "here": why.is_here,
        "built": None
        if build is None
        else {
            "sdist": build.sdist.file,
            "sdist_sha256": build.sdist.sha256,
            "requires": [f"{item.name}=={item.version}" for item in build.requires],
            "system": list(build.system),
            "env": list(build.env),
            "compiler": build.compiler,
        },
        "built_here": [
            {
                "file": record.file,
                "sha256": record.sha256,
                "compiler": record.compiler,
                "differs": list(differs),
            }
            for record, differs in why.before
        ],
    }


def _file(why: Why) -> str:
    wheel = why.wheel
    size = format_bytes(wheel.size_bytes)
    return f"{wheel.file}  {size}  sha256 {wheel.sha256}"


def _lies(why: Why) -> str:
    if not why.wheel.is_wheel:
        return "nowhere: it is not built yet; run: orch wheels"
    if why.is_here:
        return "on this machine"
    if why.build is None:
        return "not on this machine: it is fetched when it is needed"
    return "not on this machine: it comes from a shared place, else it is built again"
