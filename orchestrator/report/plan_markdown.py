"""Plans as Markdown, for a comment on a pull request or the summary of a job."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.plan import Action, Plan, Step
from orchestrator.report.markdown import escaped

_HEAD = ("Image", "Tier", "Platform", "Action", "Why")
_REASONS_SHOWN = 3
_ROWS_SHOWN = 200
"""GitHub takes a summary of 1 MiB, and a comment of 65,536 characters."""


def plan_markdown(plan: Plan) -> Iterator[str]:
    """Yield the lines of a page: what is built, why, and how much is reused."""
    steps = [step for step in plan.steps.values() if step.action is not Action.REUSE]
    counts = {action: sum(s.action is action for s in plan.steps.values()) for action in Action}
    total = ", ".join(f"{count} {action.value}" for action, count in counts.items() if count)
    yield "## Plan"
    yield ""
    yield f"**{total or 'nothing to build'}**"
    if not steps:
        return
    yield ""
    yield f"| {' | '.join(_HEAD)} |"
    yield "|---" * len(_HEAD) + "|"
    for step in steps[:_ROWS_SHOWN]:
        yield f"| {' | '.join(map(escaped, _row(step)))} |"
    if len(steps) > _ROWS_SHOWN:
        yield f"\nAnd {len(steps) - _ROWS_SHOWN} more."


def _row(step: Step) -> tuple[str, ...]:
    tier, platform = str(step.tier), step.platform.key
    return (step.image.name, tier, platform, step.action.value, _why(step))


def _why(step: Step) -> str:
    shown = [str(reason) for reason in step.reasons[:_REASONS_SHOWN]]
    more = len(step.reasons) - len(shown)
    why = ", ".join(shown) + (f", and {more} more" if more > 0 else "")
    return f"{step.unavailable}; {why}" if step.unavailable and why else step.unavailable or why
