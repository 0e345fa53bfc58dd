"""JSON documents: the keys that scripts rely on."""

from __future__ import annotations

from orchestrator.errors import OrchError
from orchestrator.fingerprint import Fingerprint
from orchestrator.oci.layer import Layer
from orchestrator.plan import plan_builds
from orchestrator.ports import Made, Outcome, Status
from orchestrator.report.documents import outcome_document, plan_document
from tests.helpers import AMD64, graph_of

GRAPH = graph_of("base; web: base")
PLAN = plan_builds(GRAPH, AMD64, dict.fromkeys(GRAPH.images, Fingerprint.of(())), {})
STEP = PLAN.steps["web"]
MADE = Made("sha256:m", 300, 500, (Layer("sha256:l", "sha256:d", 200, 500, "files"),), frozenset())


def test_a_plan_has_every_key_of_the_contract() -> None:
    assert plan_document(PLAN) == {
        "schema": "orch.plan/1",
        "images": [
            {
                "name": name,
                "tier": tier,
                "platform": "linux/amd64",
                "action": "build",
                "fingerprint": Fingerprint.of(()).digest,
                "reasons": [
                    {"code": "never-built", "subject": "", "detail": "", "old": None, "new": None}
                ],
                "unavailable": "",
            }
            for name, tier in (("base", 0), ("web", 1))
        ],
    }


def test_what_was_built_has_every_key_of_the_contract() -> None:
    outcome = Outcome(STEP, Status.BUILT, "never-built", MADE, 5.0, 1.23456, 1)
    assert outcome_document(outcome, MADE, parents=("base",), first_s=3.5) == {
        "name": "web",
        "platform": "linux/amd64",
        "tier": 1,
        "parents": ["base"],
        "status": "built",
        "because": "never-built",
        "reasons": [{"code": "never-built", "subject": "", "detail": "", "old": None, "new": None}],
        "fingerprint": STEP.fingerprint.digest,
        "digest": "sha256:m",
        "size_bytes": 300,
        "unpacked_bytes": 500,
        "started_s": 1.5,
        "duration_s": 1.235,
        "attempts": 1,
        "layers": [
            {
                "digest": "sha256:l",
                "diff_id": "sha256:d",
                "size_bytes": 200,
                "unpacked_bytes": 500,
                "what": "files",
                "reused": False,
            }
        ],
        "error": None,
    }


def test_a_failure_has_its_message_and_hint_and_no_layers() -> None:
    error = OrchError("no such file", hint="look", file="x", line=2)
    found = outcome_document(Outcome(STEP, Status.FAILED, error=error), None)
    assert found["error"] == {"message": "x:2: no such file", "hint": "look", "log": ""}
    assert found["layers"] == []
    assert found["size_bytes"] == 0
