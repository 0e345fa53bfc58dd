"""The page of a rule: what `orch check --explain` prints, and what docs/reference/rules holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from orchestrator.checks.rule import Rule

_SUPPRESS = """\
## How to suppress it

On the line, or above it where the format has no comments behind something:

```text
# orch: ignore[{id}] REASON
```

Or in the settings, for images or files, with a last day if there is one:

```toml
[[checks.exceptions]]
rule = "{id}"
images = ["NAME"]
reason = "REASON"
until = "2027-01-31"
```
"""


def page_of(one: Rule) -> str:
    """Return a rule's page, as Markdown."""
    head = f"# {one.id}\n\n{one.title}. Severity: {one.severity.value}.\n\n{one.explanation}\n"
    return f"{head}\n{_SUPPRESS.format(id=one.id)}"


def index_page(rules: Iterable[Rule]) -> str:
    """Return the page that lists the rules, as Markdown."""
    return "\n".join(_index_lines(rules))


def _index_lines(rules: Iterable[Rule]) -> Iterator[str]:
    yield "# Rules of `orch check`\n"
    yield "`make rule-pages` writes these pages from the rules; `orch check --explain` prints one."
    yield "Rules of your own: [own-rules.md](../../explanation/own-rules.md).\n"
    yield "| rule | severity | finds that |"
    yield "|---|---|---|"
    for one in rules:
        title = one.title[:1].lower() + one.title[1:]
        yield f"| [`{one.id}`]({one.id}.md) | {one.severity.value} | {title} |"
    yield ""
