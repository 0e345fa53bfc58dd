"""The plan: what is stale, and the reason for each."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from orchestrator.fingerprint import Fingerprint, Input
from orchestrator.graph import Graph
from orchestrator.plan import Action, Plan, Recorded, compare_inputs, plan_builds
from tests.helpers import AMD64, graph_of

GRAPH = graph_of("base; web: base; api: web; other")


def prints(**values: str) -> dict[str, Fingerprint]:
    """Return a fingerprint for each image of the graph, of an input with the value given."""
    return {
        name: Fingerprint.of([Input("recipe", "summary", values.get(name, "same"))])
        for name in GRAPH.images
    }


def records(present: bool = True, **values: str) -> dict[str, Recorded]:  # noqa: FBT001, FBT002
    return {
        name: Recorded(fingerprint, f"sha256:{name}{'0' * 64}", present)
        for name, fingerprint in prints(**values).items()
    }


def reasons(plan: Plan) -> Mapping[str, tuple[str, ...]]:
    return {
        name: tuple(reason.code for reason in step.reasons) for name, step in plan.steps.items()
    }


def plan_of(
    current: Mapping[str, Fingerprint], recorded: Mapping[str, Recorded], graph: Graph = GRAPH
) -> Plan:
    return plan_builds(graph, AMD64, current, recorded)


def test_what_was_never_built_is_built() -> None:
    plan = plan_of(prints(), {})
    assert set(reasons(plan).values()) == {("never-built",)}
    assert [step.image.name for step in plan.to_build] == list(GRAPH.images)


def test_what_is_recorded_is_reused_with_its_digest() -> None:
    plan = plan_of(prints(), records())
    assert {step.action for step in plan.steps.values()} == {Action.REUSE}
    assert plan.steps["web"].digest == f"sha256:web{'0' * 64}"


def test_a_missing_image_is_built_again() -> None:
    recorded = records()
    recorded["web"] = recorded["web"].without_image()
    plan = plan_of(prints(), recorded)
    assert {name for name, codes in reasons(plan).items() if codes} == {"web"}
    assert plan.steps["web"].reasons[0].code == "image-missing"
    assert plan.steps["web"].digest == ""


def test_a_forced_image_is_built_though_nothing_changed() -> None:
    plan = plan_builds(GRAPH, AMD64, prints(), records(), forced=["web"])
    assert {name: codes for name, codes in reasons(plan).items() if codes} == {"web": ("forced",)}


def test_what_changed_goes_before_being_forced() -> None:
    plan = plan_builds(GRAPH, AMD64, prints(web="new"), records(), forced=["web"])
    assert reasons(plan)["web"] == ("recipe-changed",)


def test_only_what_is_wanted_is_planned() -> None:
    wanted = {name: value for name, value in prints().items() if name in {"base", "web"}}
    assert list(plan_of(wanted, {}).steps) == ["base", "web"]


def test_steps_come_in_topological_order_whatever_the_order_asked() -> None:
    current = dict(reversed(prints().items()))
    assert list(plan_of(current, {}).steps) == list(GRAPH.images)


def test_equal_inputs_give_an_equal_plan() -> None:
    assert plan_of(prints(web="x"), records()) == plan_of(prints(web="x"), records())


def test_what_stands_on_an_unavailable_image_is_unavailable_down_to_the_last() -> None:
    old = records(base="old", web="old", api="old")
    whys = {"base": "no wheel of x", "other": "never asked, being up to date"}
    plan = plan_builds(GRAPH, AMD64, prints(), old, unavailable=whys.get)
    assert {name: step.action for name, step in plan.steps.items()} == {
        "base": Action.UNAVAILABLE,
        "web": Action.UNAVAILABLE,
        "api": Action.UNAVAILABLE,
        "other": Action.REUSE,
    }
    assert plan.steps["base"].unavailable == "no wheel of x"
    assert plan.steps["api"].unavailable == "it stands on web, which is unavailable"
    assert plan.to_build == ()


def test_what_is_unavailable_has_the_reasons_for_which_it_would_be_built() -> None:
    whys = {"base": "no wheel of x"}
    plan = plan_builds(GRAPH, AMD64, prints(base="new"), records(), unavailable=whys.get)
    assert reasons(plan)["base"] == ("recipe-changed",)
    assert plan.steps["base"].digest == ""
    assert (plan.steps["api"].action, reasons(plan)["api"]) == (Action.UNAVAILABLE, ())


def test_what_is_up_to_date_is_reused_though_it_could_not_be_made_here() -> None:
    plan = plan_builds(GRAPH, AMD64, prints(), records(), unavailable=lambda _: "no engine")
    assert {step.action for step in plan.steps.values()} == {Action.REUSE}


def test_a_record_whose_inputs_are_the_same_but_not_its_digest_is_not_trusted() -> None:
    recorded = records()
    recorded["web"] = Recorded(
        Fingerprint("0" * 64, prints()["web"].inputs), recorded["web"].digest
    )
    assert reasons(plan_of(prints(), recorded))["web"] == ("orch-changed",)


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (None, Input("file", "app/x", "1"), "file-added app/x"),
        (Input("file", "app/x", "1"), None, "file-removed app/x"),
        (Input("file", "app/x", "1"), Input("file", "app/x", "2"), "file-changed app/x (1 -> 2)"),
        (
            Input("mode", "app/x", "644"),
            Input("mode", "app/x", "755"),
            "mode-changed app/x (644 -> 755)",
        ),
        (None, Input("link", "app/x", "y"), "file-added app/x"),
        (Input("link", "app/x", "y"), Input("link", "app/x", "z"), "link-changed app/x (y -> z)"),
        (
            None,
            Input("recipe", "summary", f"what\nanswers {'x' * 40}"),
            f"recipe-changed summary ((none) -> what answers {'x' * 27}...)",
        ),
        (
            Input("package", "curl", "7.1 aaa"),
            Input("package", "curl", "7.2 bbb"),
            "package-changed curl (7.1 -> 7.2)",
        ),
        (None, Input("package", "curl", "7.2 bbb"), "package-changed curl ((none) -> 7.2)"),
        (Input("wheel", "numpy", "1 a"), None, "wheel-changed numpy (1 -> (none))"),
        (
            Input("parent", "web", "a" * 64),
            Input("parent", "web", "b" * 64),
            f"parent-changed web ({'a' * 12} -> {'b' * 12})",
        ),
        (
            Input("external", "x", f"registry.example.com/team/python-base:12@sha256:{'a' * 64}"),
            Input("external", "x", f"registry.example.com/team/python-base:12@sha256:{'b' * 64}"),
            f"external-changed x ({'a' * 12} -> {'b' * 12})",
        ),
        (
            Input("external", "from", "debian:bookworm"),
            Input("external", "from", "debian:trixie"),
            "external-changed from (debian:bookworm -> debian:trixie)",
        ),
        (
            Input("platform", "platform", "linux/amd64"),
            Input("platform", "platform", "linux/arm64"),
            "platform-changed platform (linux/amd64 -> linux/arm64)",
        ),
        (
            Input("argument", "A", "1"),
            Input("argument", "A", "2"),
            "argument-changed A (1 -> 2)",
        ),
        (
            Input("orch", "fingerprint", "1"),
            Input("orch", "fingerprint", "2"),
            "orch-changed fingerprint (1 -> 2)",
        ),
        (Input("of an older orch", "x", "1"), None, "orch-changed x (1 -> (none))"),
    ],
)
def test_each_change_has_its_reason(before: Input | None, after: Input | None, reason: str) -> None:
    found = compare_inputs([before] if before else [], [after] if after else [])
    assert [str(item) for item in found] == [reason]


def test_an_added_file_is_one_reason_though_it_brings_its_mode() -> None:
    after = [Input("file", "x", "1"), Input("mode", "x", "644")]
    assert [reason.code for reason in compare_inputs([], after)] == ["file-added"]
    assert [reason.code for reason in compare_inputs(after, [])] == ["file-removed"]


def test_a_record_of_another_version_of_orch_is_one_reason_whatever_else_it_says() -> None:
    before = [Input("orch", "fingerprint", "1"), Input("recipe", "config", '{"env":{"T":"x"}}')]
    after = [Input("orch", "fingerprint", "2"), *(Input("file", name, "1") for name in "abc")]
    assert [str(item) for item in compare_inputs(before, after)] == [
        "orch-changed fingerprint (1 -> 2)"
    ]


def test_texts_that_begin_alike_are_told_apart_where_they_part() -> None:
    before, after = (Input("recipe", "summary", f"{'word ' * 20}{end}") for end in ("one", "two"))
    (reason,) = compare_inputs([before], [after])
    assert reason.detail == "one -> two"


def test_reasons_come_in_a_stable_order() -> None:
    inputs = [Input("file", name, "1") for name in "cab"]
    assert [reason.subject for reason in compare_inputs([], inputs)] == ["a", "b", "c"]


def test_other_bytes_of_one_version_are_told_apart_by_their_digest() -> None:
    before, after = Input("wheel", "x", "7.1 aaaa"), Input("wheel", "x", "7.1 bbbb")
    (reason,) = compare_inputs([before], [after])
    assert (reason.detail, reason.sign) == ("aaaa -> bbbb", "~")
