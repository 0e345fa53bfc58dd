"""The pages of the rules in docs/reference/rules; run as a module, it writes them."""

from __future__ import annotations

from pathlib import Path

from orchestrator.checks.rules import RULES
from orchestrator.report.rules import index_page, page_of

FOLDER = Path(__file__).parents[1] / "docs/reference/rules"


def pages() -> dict[str, str]:
    """Return what each page of the folder is to hold, by file name."""
    return {"README.md": index_page(RULES), **{f"{one.id}.md": page_of(one) for one in RULES}}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for file in FOLDER.glob("*.md"):
        file.unlink()
    for name, text in pages().items():
        (FOLDER / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
