"""Outcomes, plans and graphs as a person reads them in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.errors import OrchError
from orchestrator.graph import Graph
from orchestrator.plan import Action, Plan, Step
from orchestrator.ports import Outcome, Status

_UNITS = ("B", "kB", "MB", "GB", "TB")
_REASONS_SHOWN = 3


def format_bytes(size_bytes: float) -> str:
    """Return a size in decimal units, such as 12.3 MB."""
    unit = 0
    while round(size_bytes, 1) >= 1000 and unit < len(_UNITS) - 1:
        size_bytes /= 1000
        unit += 1
    return f"{size_bytes:.0f} {_UNITS[unit]}" if unit == 0 else f"{size_bytes:.1f} {_UNITS[unit]}"


def format_outcome(outcome: Outcome) -> str:
    """Return an outcome as one line, an error with its hint below."""
    name, status = outcome.step.image.name, outcome.status.value
    if outcome.made:
        made = outcome.made
        new = sum(layer.digest not in made.reused_layers for layer in made.layers)
        return (
            f"{status} {name}  {made.digest[:19]}  {format_bytes(made.size_bytes)}, "
            f"{new} of {len(made.layers)} layers new, {outcome.duration_s:.1f} s"
        )
    text = f"{status} {name}"
    if outcome.error is not None:
        return format_error(text, outcome.error)
    return f"{text}: {outcome.because}" if outcome.because else text


def format_error(doing: str, error: OrchError) -> str:
    """Return an error with its hint below; its own further lines stand deeper than that."""
    text = f"{doing}: {error}".replace("\n", "\n    ")
    return f"{text}\n  hint: {error.hint}" if error.hint else text


def format_summary(outcomes: Mapping[str, Outcome], duration_s: float) -> str:
    """Return the closing line of a build."""
    counts = dict.fromkeys(Status, 0)
    for outcome in outcomes.values():
        counts[outcome.status] += 1
    parts = [f"{count} {status.value}" for status, count in counts.items() if count]
    return f"{', '.join(parts) or 'nothing to build'} in {duration_s:.1f} s"


def tree_lines(graph: Graph, notes: Mapping[str, str]) -> list[str]:
    """Return the graph as a tree, each image with its note; only images that have one.

    An image with several parents stands below the first of them; below the others it is named.
    """
    lines: list[str] = []
    places = {name: [parent for parent in graph.parents[name] if parent in notes] for name in notes}

    def add(name: str, indent: str, mark: str, below: str, parent: str = "") -> None:
        if parent and parent != places[name][0]:
            lines.append(f"{indent}{mark}{name}  (see {places[name][0]})")
            return
        lines.append(f"{indent}{mark}{name}{notes[name]}")
        children = [child for child in graph.dependents[name] if child in notes]
        for child in children:
            last = child == children[-1]
            marks = ("└── ", "    ") if last else ("├── ", "│   ")
            add(child, indent + below, *marks, name)

    for name in graph.images:
        if name in notes and not places[name]:
            add(name, "", "", "")
    return lines


def plan_lines(graph: Graph, plan: Plan) -> list[str]:
    """Return a plan as a tree: what is built, what is reused, and why."""
    notes = {name: f"  {_decision(step)}" for name, step in plan.steps.items()}
    counts = {action: sum(s.action is action for s in plan.steps.values()) for action in Action}
    total = ", ".join(f"{count} {action.value}" for action, count in counts.items() if count)
    return [*tree_lines(graph, notes), total or "nothing to build"]


def _decision(step: Step) -> str:
    """Return what is done with an image, the first reasons, and why it cannot be done."""
    shown = [str(reason) for reason in step.reasons[:_REASONS_SHOWN]]
    more = len(step.reasons) - len(shown)
    why = ", ".join(shown) + (f", and {more} more" if more > 0 else "")
    if step.unavailable:
        why = f"{step.unavailable}; out of date: {why}" if why else step.unavailable
    return f"{step.action.value}: {why}" if why else step.action.value


def explain_lines(steps: Sequence[Step]) -> list[str]:
    """Return why images are built, a line an input that changed; parents only where they are."""
    lines: list[str] = []
    for step in steps:
        if step.action is Action.REUSE and lines:
            continue
        lines.append(_headline(step))
        for reason in step.reasons:
            detail = f"  {reason.detail}" if reason.detail else ""
            lines.append(f"  {reason.sign} {reason.code} {reason.subject}".rstrip() + detail)
    return lines


def _headline(step: Step) -> str:
    name = step.image.name
    if step.action is Action.REUSE:
        count = len(step.fingerprint.inputs)
        return f"{name} is up to date: none of its {count} inputs changed"
    if step.action is Action.UNAVAILABLE:
        return f"{name} is unavailable: {step.unavailable}"
    return f"{name} would be built"


def format_log(outcome: Outcome) -> str:
    """Return all that is known of one image's build, for its log file."""
    step = outcome.step
    lines = [format_outcome(outcome), f"platform {step.platform}"]
    lines += [f"fingerprint {step.fingerprint.digest}", f"attempts {outcome.attempts}", "", "why:"]
    lines += [f"  {reason.sign} {reason}" for reason in step.reasons]
    if outcome.made:
        lines += ["", "layers:"]
        for layer in outcome.made.layers:
            how = "reused" if layer.digest in outcome.made.reused_layers else "new"
            size = format_bytes(layer.size_bytes)
            lines.append(f"  {layer.digest}  {how:6}  {size:>9}  {layer.what}")
    return "\n".join([*lines, ""])
