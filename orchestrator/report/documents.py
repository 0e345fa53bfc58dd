"""Plans, outcomes and graphs as JSON documents; keys are only ever added."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrator.graph import Graph
from orchestrator.oci.layer import Layer
from orchestrator.plan import Plan, Reason, Step
from orchestrator.ports import Made, Outcome


def graph_document(graph: Graph) -> dict[str, Any]:
    """Return the graph, `orch.graph/1`."""
    return {
        "schema": "orch.graph/1",
        "images": [
            {
                "name": image.name,
                "kind": image.kind.value,
                "tier": graph.tiers[image.name],
                "path": str(image.path),
                "definition": image.definition.value,
                "file": str(image.file),
                "parents": list(graph.parents[image.name]),
                "dependents": list(graph.dependents[image.name]),
                "external": list(graph.external[image.name]),
                "deprecated": image.recipe.deprecated,
            }
            for image in graph.images.values()
        ],
    }


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return a plan, `orch.plan/1`."""
    return {"schema": "orch.plan/1", "images": [_step(step) for step in plan.steps.values()]}


def _step(step: Step) -> dict[str, Any]:
    return {
        "name": step.image.name,
        "tier": step.tier,
        "platform": step.platform.key,
        "action": step.action.value,
        "fingerprint": step.fingerprint.digest,
        "reasons": [_reason(reason) for reason in step.reasons],
        "unavailable": step.unavailable,
    }


def _reason(reason: Reason) -> dict[str, Any]:
    return {
        "code": reason.code,
        "subject": reason.subject,
        "detail": reason.detail,
        "old": reason.old,
        "new": reason.new,
    }


def explain_document(steps: Sequence[Step]) -> dict[str, Any]:
    """Return why images are built, `orch.explain/1`: the one asked for first, then its parents."""
    return {"schema": "orch.explain/1", "images": [_step(step) for step in steps]}


def affected_document(graph: Graph, names: Sequence[str]) -> dict[str, Any]:
    """Return the images that files reach, `orch.affected/1`."""
    images = [{"name": name, "tier": graph.tiers[name]} for name in names]
    return {"schema": "orch.affected/1", "images": images}


def outcome_document(
    outcome: Outcome,
    made: Made | None,
    log: str = "",
    parents: Sequence[str] = (),
    first_s: float = 0.0,
) -> dict[str, Any]:
    """Return one image of a build report; `made` also says what a reused image holds.

    `log` is the path of its log file from the workspace's root, `parents` are the images it stands
    on, and `first_s` is when the first image of the run began.
    """
    error = outcome.error
    return {
        "name": outcome.step.image.name,
        "platform": outcome.step.platform.key,
        "tier": outcome.step.tier,
        "parents": list(parents),
        "status": outcome.status.value,
        "because": outcome.because,
        "reasons": [_reason(reason) for reason in outcome.step.reasons],
        "fingerprint": outcome.step.fingerprint.digest,
        "digest": outcome.digest,
        "size_bytes": made.size_bytes if made else 0,
        "unpacked_bytes": made.unpacked_bytes if made else 0,
        "started_s": round(outcome.started_s - first_s, 3) if outcome.attempts else None,
        "duration_s": round(outcome.duration_s, 3),
        "attempts": outcome.attempts,
        "layers": [layer_document(layer, made) for layer in made.layers] if made else [],
        "error": {"message": str(error), "hint": error.hint, "log": log} if error else None,
    }


def layer_document(layer: Layer, made: Made) -> dict[str, Any]:
    """Return one layer of an image of a build report."""
    return {
        "digest": layer.digest,
        "diff_id": layer.diff_id,
        "size_bytes": layer.size_bytes,
        "unpacked_bytes": layer.unpacked_bytes,
        "what": layer.what,
        "reused": layer.digest in made.reused_layers,
    }
