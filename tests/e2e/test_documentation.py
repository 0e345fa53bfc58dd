"""The documentation says what the code does: options, keys, codes, examples and links."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest

from orchestrator.app.adding import Addition, Wanted
from orchestrator.app.initialising import initialise
from orchestrator.app.push_report import push_document
from orchestrator.app.pushing import PushRun
from orchestrator.app.verify_report import verify_document
from orchestrator.app.verifying import VerifyRun
from orchestrator.checks.finding import Finding, Severity
from orchestrator.checks.run import Checked
from orchestrator.cli import orch
from orchestrator.cli.new import addition_document
from orchestrator.errors import ExitCode
from orchestrator.evidence.gathering import Reports, gather
from orchestrator.fingerprint import Fingerprint
from orchestrator.fitness.finding import Finding as Trouble
from orchestrator.fitness.finding import Level
from orchestrator.fsck.finding import Checked as Looked
from orchestrator.fsck.finding import Fault, Where
from orchestrator.fsck.finding import Finding as Lost
from orchestrator.graph import build_graph
from orchestrator.history import Kind, PastImage, PastRun, Result
from orchestrator.model import ImageKind, Platform
from orchestrator.plan import _CHANGED, Action, Plan, Step
from orchestrator.ports import Outcome, Status
from orchestrator.publish.reference import Namespace
from orchestrator.recipe import read_recipe
from orchestrator.report.checks import check_document
from orchestrator.report.collected import collected_document
from orchestrator.report.documents import graph_document, outcome_document, plan_document
from orchestrator.report.evidence import evidence_document
from orchestrator.report.fitness import fitness_document
from orchestrator.report.fsck import fsck_document
from orchestrator.report.history import history_document
from orchestrator.report.pictures import format_tree
from orchestrator.report.proposals import proposal_document
from orchestrator.report.pushes import unavailable_document
from orchestrator.report.sharing import moved_document
from orchestrator.report.verification import verified_document
from orchestrator.settings import read_settings
from orchestrator.tables import Table
from orchestrator.unused.entries import Collected, Part, Swept
from orchestrator.verify.gates import GATES, Verified
from orchestrator.wheelhouse.shared_transfer import Moved
from orchestrator.wheelhouse.shared_transfer import Status as Shared
from orchestrator.workspace import read_workspace
from tests.codeblocks import code_blocks, steps_of
from tests.evidences import build_of, build_row
from tests.helpers import wheel_of
from tests.pages import PAGES, ROOT, verbs

REFERENCE = ROOT / "docs/reference"
EXCEPTION = "[[ecr.exceptions]]\nfinding = 'CVE-1'\nuntil = '2027-01-31'\nreason = 'r'\n"
SELECTION = {"tiers", "bases", "services", "changed", "since", "with_dependents"}


def options(command: click.Command) -> dict[str, set[str]]:
    """Return the options of a command by the name of their parameter."""
    return {
        str(option.name): {*option.opts, *option.secondary_opts}
        for option in command.params
        if isinstance(option, click.Option)
    }


def section(page: Path, heading: str) -> str:
    """Return the text below a heading, up to the next of its level or a higher one."""
    text = page.read_text("utf-8")
    found = re.search(rf"^(#+) {re.escape(heading)}$", text, re.MULTILINE)
    assert found, f"{page.name} has no heading {heading!r}"
    rest = text[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def first_cells(text: str) -> set[str]:
    """Return what stands in backticks in the first cells of a section's tables."""
    rows = (line.replace("\\|", "/") for line in text.splitlines() if line.startswith("| "))
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])}


def documented_options(text: str) -> set[str]:
    return {name.split()[0] for name in first_cells(text) if name.startswith("-")}


@pytest.mark.parametrize("verb", verbs())
def test_every_option_of_a_verb_is_documented_and_no_other(verb: str) -> None:
    page = REFERENCE / "cli.md"
    taken = options(verbs()[verb])
    own = {name for key, names in taken.items() if key not in SELECTION for name in names}
    assert documented_options(section(page, f"orch {verb}")) == own - {"-h", "--help"}
    selecting = {name for key in taken.keys() & SELECTION for name in taken[key]}
    assert (
        not selecting
        or documented_options(section(page, "Which images: `[IMAGE]...`")) == selecting
    )


def test_every_option_before_the_verb_is_documented() -> None:
    names = {name for names in options(orch).values() for name in names} | {"-h", "--help"}
    assert documented_options(section(REFERENCE / "cli.md", "Options before the verb")) == names


@dataclass(frozen=True)
class Taken:
    table: str
    key: str


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> set[Taken]:
    """Return the keys that readers ask for, filled as they do."""
    asked: set[Taken] = set()
    take = Table._take

    def note(self: Table, key: str, kinds: Any, wanted: str, default: Any) -> Any:
        asked.add(Taken(".".join(self._path), key))
        return take(self, key, kinds, wanted, default)

    monkeypatch.setattr(Table, "_take", note)
    return asked


def check_keys(page: Path, taken: set[Taken], headings: dict[str, str]) -> None:
    """Compare what readers take with a page's tables, each below its heading."""
    for table, heading in headings.items():
        inner = headings.keys() if not table else set()
        keys = {item.key for item in taken if item.table == table} - inner
        text = section(page, heading)
        if not table:
            text = text.partition("\n## ")[0]
        assert first_cells(text) == keys, heading
    assert {item.table for item in taken} == set(headings)


def test_every_key_of_a_recipe_is_documented_and_no_other(
    tmp_path: Path, taken: set[Taken]
) -> None:
    file = tmp_path / "image.toml"
    file.write_text(
        'from = "debian:bookworm"\n'
        '[[files]]\nfrom = "app"\nto = "/app"\n'
        f'[[fetch]]\nurl = "https://example.com/x"\nsha256 = "{"0" * 64}"\nto = "/x"\n'
        '[healthcheck]\ncommand = ["true"]\n'
    )
    read_recipe(file)
    tables = ("system", "python", "config", "healthcheck", "gates")
    headings = {"": "Recipe", "files": "[[files]]", "fetch": "[[fetch]]"}
    check_keys(REFERENCE / "recipe.md", taken, headings | {name: f"[{name}]" for name in tables})


def test_every_setting_is_documented_and_no_other(tmp_path: Path, taken: set[Taken]) -> None:
    excepted = "[[checks.exceptions]]\nrule = 'unused-base'\nreason = 'r'\n"
    (tmp_path / "orch.toml").write_text(f"[image.api]\n[wheels.name]\n{EXCEPTION}{excepted}")
    read_settings(tmp_path)
    headings = {"": "Settings", "python": "[python]", "debian": "[debian]"}
    headings |= {"buildkit": "[buildkit]", "image.api": "[image.NAME]"}
    headings |= {"image.api.gates": "[image.NAME.gates]"}
    headings |= {"wheelhouse": "[wheelhouse]", "wheels.name": "[wheels.NAME]"}
    headings |= {"attest": "[attest]", "ecr": "[ecr]", "ecr.exceptions": "[[ecr.exceptions]]"}
    headings |= {"history": "[history]", "report": "[report]", "gc": "[gc]"}
    headings |= {"ci": "[ci]"}
    headings |= {"checks": "[checks]", "checks.exceptions": "[[checks.exceptions]]"}
    check_keys(REFERENCE / "settings.md", taken, headings)


@pytest.mark.parametrize("verb", ["push", "pull"])
def test_documents_of_shared_wheels_have_the_keys_that_the_reference_names(verb: str) -> None:
    document = moved_document(verb, [Moved(wheel_of("x"), Shared.THERE)], (), (), dry_run=False)
    (wheel,) = document["wheels"]
    page = REFERENCE / "json.md"
    assert document["schema"] in section(page, "JSON documents")
    keys = {*document, *wheel, "wheels[]"} - {"schema"}
    assert first_cells(section(page, "orch.wheels-push/1")) == keys


def test_every_exit_code_and_status_is_documented() -> None:
    page = REFERENCE / "errors.md"
    codes = section(page, "Errors and exit codes").partition("\n## ")[0]
    assert set(re.findall(r"^\| (\d+) ", codes, re.MULTILINE)) == {str(int(c)) for c in ExitCode}
    assert first_cells(section(page, "What comes of an image")) == {item.value for item in Status}


def test_every_reason_code_is_documented() -> None:
    written = first_cells(section(REFERENCE / "json.md", "Reason codes"))
    expected = {"never-built", "image-missing", "forced", "file-added", "file-removed"}
    assert written == expected | set(_CHANGED.values())


def test_documents_have_the_keys_that_the_reference_names() -> None:
    page = REFERENCE / "json.md"
    graph = build_graph(read_workspace(ROOT))
    (image, *_) = graph_document(graph)["images"]
    assert first_cells(section(page, "orch.graph/1")) == {"images[]", *image}
    platform = Platform("linux", "amd64")
    step = Step(graph.images["webhook"], platform, 1, Action.REUSE, Fingerprint.of([]))
    (planned,) = plan_document(Plan({"webhook": step}))["images"]
    text = section(page, "orch.plan/1").partition("\n### ")[0]
    assert first_cells(text) == {"images[]", *planned}
    proposal = initialise(ROOT, write=False, force=True)
    proposed = proposal_document(proposal, written=False)
    assert first_cells(section(page, "orch.init/1")) | {"schema"} == set(proposed)
    addition = Addition(Wanted(ImageKind.SERVICE, "api"), "web", ())
    assert first_cells(section(page, "orch.new/1")) | {"schema"} == set(
        addition_document(addition, written=False)
    )
    outcome = outcome_document(Outcome(step, Status.REUSED), None)
    head = {"run", "ok", "push", "started", "duration_s", "notes", "images"}
    assert first_cells(section(page, "orch.build/1")) == {"images[]", *head, *outcome}


def test_evidence_has_the_keys_that_the_reference_names() -> None:
    build = build_of([build_row("web")])
    document = evidence_document(gather(Reports(build), wanted=["web"]))
    keys = {"images[]", *document, *document["images"][0]} - {"schema"}
    assert first_cells(section(REFERENCE / "json.md", "orch.evidence/1")) == keys


def test_the_document_of_a_check_has_the_keys_that_the_reference_names() -> None:
    finding = Finding("unused-base", Severity.ERROR, "no image stands on it")
    document = check_document(Checked((), (finding,)))
    text = section(REFERENCE / "json.md", "orch.check/1")
    assert first_cells(text) == {"findings[]", *document, *document["findings"][0]} - {"schema"}


def test_the_report_of_a_push_has_the_keys_that_the_reference_names() -> None:
    run = PushRun(Namespace("h.example"), datetime.now(UTC), {})
    head = set(push_document(run)) - {"schema"}
    text = section(REFERENCE / "json.md", "orch.push/1")
    assert first_cells(text) == {"images[]", *head, *unavailable_document("api", "")}


def test_the_history_has_the_keys_that_the_reference_names() -> None:
    images = (PastImage("api", "linux/amd64", "built"),)
    past = PastRun("id", Kind.BUILD, datetime.now(UTC), 0.0, Result.DONE, images=images)
    document = history_document([past])
    (run,) = document["runs"]
    (image,) = run["images"]
    expected = {*document, "runs[]", *run, "images[]", *image} - {"schema"}
    assert first_cells(section(REFERENCE / "json.md", "orch.history/1")) == expected


def test_the_document_of_fsck_has_the_keys_that_the_reference_names() -> None:
    lost = Lost(Where.CACHE, Fault.DAMAGED, Path("blob"), "other bytes")
    document = fsck_document(Looked(1, 2, (lost,)), None)
    keys = {"findings[]", *document, *document["findings"][0]} - {"schema"}
    assert first_cells(section(REFERENCE / "json.md", "orch.fsck/1")) == keys


def test_a_diagnosis_has_the_keys_that_the_reference_names() -> None:
    document = fitness_document([Trouble("disk", Level.OK, "room")])
    keys = {*document, "checks[]", *document["checks"][0]} - {"schema", "checks"}
    assert first_cells(section(REFERENCE / "json.md", "orch.doctor/1")) == keys


def test_a_collection_has_the_keys_that_the_reference_names() -> None:
    document = collected_document(Collected((Swept(Part.LOGS, {}),), (), dry_run=True))
    keys = {*document, "parts[]", *document["parts"][0]} - {"schema", "parts"}
    assert first_cells(section(REFERENCE / "json.md", "orch.gc/1")) == keys


def test_every_gate_is_documented_and_no_other() -> None:
    assert first_cells((REFERENCE / "gates.md").read_text("utf-8")) == {gate.id for gate in GATES}


def test_the_report_of_a_verification_has_the_keys_that_the_reference_names() -> None:
    head = set(verify_document(VerifyRun((), {}, ()))) - {"schema"}
    image = set(verified_document(Verified("api", Platform("linux", "amd64"))))
    text = section(REFERENCE / "json.md", "orch.verify/1")
    assert {name.removesuffix("[]") for name in first_cells(text)} == head | image


def console_commands() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        if page.name == "tutorial.md":  # which is typed as it is, in a workspace of its own
            continue
        for block in code_blocks(page, "console"):
            found += [(page.name, step.command) for step in steps_of(block)]
        for block in code_blocks(page, "sh"):
            lines = (line.removeprefix(".venv/bin/") for line in block.text.splitlines())
            found += [(page.name, line) for line in lines if line.startswith("orch ")]
    return [(page, command) for page, command in found if command.startswith("orch")]


@pytest.mark.parametrize(("page", "command"), console_commands())
def test_every_example_is_a_valid_command_line(page: str, command: str) -> None:
    _, *words = shlex.split(command, comments=True)
    outer = orch.make_context("orch", words)
    name, *rest = [*outer._protected_args, *outer.args]
    verb = verbs()[name]
    inner = verb.make_context(name, rest, parent=outer)
    images = inner.params.get("images", ())
    known = read_workspace(ROOT).images
    assert all(image in known or "*" in image for image in images)


def test_every_verb_named_exists() -> None:
    for page in PAGES:
        named = re.findall(r"`orch ([a-z]+)", page.read_text("utf-8"))
        assert set(named) <= set(verbs()), page.name


def test_the_tree_in_the_readme_is_the_tree() -> None:
    blocks = (block.text for block in code_blocks(ROOT / "README.md", "console"))
    shown = next(text for text in blocks if "$ orch graph" in text)
    assert shown.partition("\n")[2].strip() == format_tree(build_graph(read_workspace(ROOT)))


def test_the_recipes_in_the_readme_are_parts_of_the_real_ones() -> None:
    real = [file.read_text("utf-8") for file in ROOT.glob("*/*/image.toml")]
    blocks = [block.text for block in code_blocks(ROOT / "README.md", "toml")]
    assert blocks
    for block in blocks:
        lines = {line for line in block.splitlines() if line}
        assert any(lines <= set(text.splitlines()) for text in real), block


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(file), f"{page.name}: {target}"


def test_every_make_target_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        text = page.read_text("utf-8")
        named = re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE)
        assert set(named) <= targets, page.name


def test_no_page_names_a_path_of_a_machine() -> None:
    for page in PAGES:
        assert not re.search(r"(?<![\w.])/(work|root/\.|home/(?!NAME))", page.read_text()), (
            page.name
        )
