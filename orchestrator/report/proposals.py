"""Proposed settings as a person and as a program reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from orchestrator.discovery.drafts import join_alike
from orchestrator.discovery.proposal import Proposal
from orchestrator.report.documents import graph_document
from orchestrator.report.pictures import format_tree
from orchestrator.siblings import without_tag

_NAMES_SHOWN = 8


def proposal_lines(proposal: Proposal) -> list[str]:
    """Return the graph, what it stands on, what was guessed and what is not decided."""
    lines = format_tree(proposal.graph).splitlines()
    lines += _listed("from elsewhere", _external(proposal))
    guesses = (f"{guess.setting}  ({guess.because})" for guess in proposal.guesses)
    lines += _listed("guessed", guesses)
    lines += _listed("not decided, and left out where it is an image", _open_questions(proposal))
    return lines


def _listed(title: str, items: Iterator[str]) -> list[str]:
    found = [f"  {item}" for item in items]
    return ["", f"{title}:", *found] if found else []


def _external(proposal: Proposal) -> Iterator[str]:
    left_out = {item.image: item.file for item in proposal.undecided if item.image}
    for reference, names in proposal.external.items():
        more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
        named = without_tag(reference).rpartition("/")[2]
        note = f"  (or {left_out[named]}, which is left out)" if named in left_out else ""
        yield f"{reference}  {', '.join(names[:_NAMES_SHOWN])}{more}{note}"


def _open_questions(proposal: Proposal) -> Iterator[str]:
    for places, item in join_alike(proposal.undecided):
        yield f"{places}: {item.message}"
        yield from (f"    {line}" for line in [item.hint, *item.setting.split("\n")] if line)


def proposal_document(proposal: Proposal, *, written: bool) -> dict[str, Any]:
    """Return proposed settings, `orch.init/1`."""
    return {
        "schema": "orch.init/1",
        "file": str(proposal.workspace.settings.file),
        "written": written,
        "settings": proposal.text,
        "files": [{"path": path, "text": text} for path, text in proposal.files.items()],
        "images": graph_document(proposal.graph)["images"],
        "external": [
            {"reference": reference, "images": list(names)}
            for reference, names in proposal.external.items()
        ],
        "guesses": [
            {"setting": guess.setting, "because": guess.because} for guess in proposal.guesses
        ],
        "undecided": [
            {
                "file": item.file,
                "line": item.line,
                "message": item.message,
                "hint": item.hint,
                "setting": item.setting,
                "image": item.image,
            }
            for item in proposal.undecided
        ],
    }
