"""Images built by themselves, each on a machine that has nothing, over one registry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.app.opened import open_workspace, read_lock
from orchestrator.lockwriting import format_lock
from orchestrator.model import WheelBuild
from orchestrator.resolve.builds import settings_digest
from tests.helpers import permitted_order
from tests.machines import Machine, first_machine
from tests.tiny import AMD64, digests
from tests.verbs import Ran
from tests.wheels import locked, make_sdist

NAMES = ("python-base", "python-web", "api", "worker")


@pytest.fixture
def first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Machine]:
    with first_machine(tmp_path, monkeypatch, capsys) as machine:
        yield machine


def alone(machine: Machine, *arguments: str) -> Ran:
    """Build images by themselves on a machine."""
    machine.registry.asked.clear()
    return machine.orch("build", "--deps=registry", *arguments)


def done(machine: Machine, *arguments: str) -> dict[str, str]:
    """Build so; return what came of each image that was looked at."""
    report = machine.tiny.root / "report.json"
    ran = alone(machine, "--report", str(report), *arguments)
    assert ran.code == 0, ran.err
    images = json.loads(report.read_text())["images"]
    return {image["name"]: image["status"] for image in images}


def written(machine: Machine) -> list[str]:
    return [line for line in machine.registry.asked if line.startswith(("PUT", "POST"))]


def test_an_image_is_built_on_its_parent_as_the_registry_has_it(first: Machine) -> None:
    assert done(first, "python-base") == {"python-base": "built"}
    second = first.elsewhere("second")
    second.without_packages("web", "client")
    assert done(second, "python-web") == {"python-base": "reused", "python-web": "built"}
    third = first.elsewhere("third")
    assert done(third, "api") == {"python-web": "reused", "api": "built"}


@pytest.mark.parametrize("seed", range(4))
def test_images_built_one_by_one_in_any_order_are_those_of_one_machine(
    first: Machine, seed: int
) -> None:
    graph = open_workspace(first.tiny.root).graph
    for place, name in enumerate(permitted_order(graph, seed)):
        assert done(first.elsewhere(f"machine-{place}"), name)[name] == "built"
    last = first.elsewhere("last")
    assert last.built() == set()
    made = {name: last.tag(name, "latest") for name in NAMES}
    assert made == digests(first.elsewhere("by-itself").tiny.build())


def test_a_parent_that_the_registry_lacks_is_named_with_what_builds_it(first: Machine) -> None:
    ran = alone(first, "api", "worker")
    assert ran.code == 2
    assert "does not have, as the workspace has it now: python-web (below api), " in ran.err
    assert "hint: first run: orch build python-web python-base --deps=registry\n" in ran.err
    assert not first.registry.manifests
    assert alone(first, *NAMES).code == 0


def test_a_parent_that_changed_since_it_was_published_is_missing(first: Machine) -> None:
    alone(first, "python-base", "python-web")
    recipe = first.tiny.root / "base/python-web/image.toml"
    recipe.write_text(recipe.read_text().replace("Web", "More"))
    second = first.elsewhere("second")
    assert "python-web (below api)" in alone(second, "api").err


def test_a_parent_that_only_this_machine_has_is_missing(first: Machine) -> None:
    assert first.orch("build", "python-base").code == 0
    ran = alone(first, "worker")
    assert ran.code == 2
    assert "python-base (below worker)" in ran.err
    assert done(first, "python-base") == {"python-base": "reused"}
    assert done(first, "worker") == {"python-base": "reused", "worker": "built"}


def test_an_image_that_is_published_is_neither_built_nor_sent_again(first: Machine) -> None:
    done(first, "python-base")
    for machine in (first, first.elsewhere("second")):
        assert done(machine, "python-base") == {"python-base": "reused"}
        assert written(machine) == []


def test_what_is_published_needs_no_parents(first: Machine) -> None:
    done(first, *NAMES)
    for key in [key for key in first.registry.tags if key[0] == "team/python-base"]:
        del first.registry.tags[key]
    assert done(first.elsewhere("second"), "worker") == {"worker": "reused"}


def test_tags_move_only_with_push_and_then_together(first: Machine) -> None:
    for name in NAMES:
        done(first, name)
    assert not any(tag == "latest" for _, tag in first.registry.tags)
    last = first.elsewhere("last")
    last.without_packages()
    assert last.publish() == {}
    assert {place for place, tag in first.registry.tags if tag == "latest"} == {
        f"team/{name}" for name in NAMES
    }
    assert done(first, "--push", "--force", "api")["api"] == "built"


def test_what_is_left_out_of_a_selection_is_not_looked_at(first: Machine) -> None:
    done(first, *NAMES)
    (first.tiny.root / "services/worker/main.py").write_text("print('new')\n")
    second = first.elsewhere("second")
    assert done(second, "--services", "--changed") == {"python-base": "reused", "worker": "built"}


def test_a_dry_run_says_what_would_be_done_and_what_is_missing(first: Machine) -> None:
    assert alone(first, "--dry-run", "worker").code == 2
    done(first, "python-base")
    second = first.elsewhere("second")
    ran = alone(second, "--dry-run", "worker")
    assert ran.out.endswith("1 build, 1 reuse\n")
    assert not (second.tiny.root / ".orch").exists()


@pytest.mark.parametrize("option", ["--offline", "--relock-missing"])
def test_what_would_make_jobs_differ_is_refused(first: Machine, option: str) -> None:
    ran = alone(first, option, "api")
    assert ran.code == 2
    assert "--deps=registry goes without" in ran.err


def test_without_a_registry_in_the_settings_nothing_is_begun(first: Machine) -> None:
    settings = first.tiny.root / "orch.toml"
    settings.write_text(settings.read_text().replace("registry = ", "# "))
    ran = alone(first, "python-base")
    assert ran.code == 2
    assert "no registry to push to" in ran.err
    assert not (first.tiny.root / ".orch").exists()


def test_an_image_that_cannot_be_made_here_is_not_published_and_ends_with_3(
    first: Machine,
) -> None:
    done(first, "python-base", "python-web")
    second = first.elsewhere("second")
    second.without_packages()
    ran = alone(second, "api")
    assert ran.code == 3
    assert "unavailable api" in ran.err
    assert written(second) == []


def test_a_wheel_that_is_not_built_yet_is_not_built_by_a_job(first: Machine) -> None:
    done(first, "python-base")
    sdist = locked(make_sdist(first.tiny.sources / "wheels", "slow", "1.0"))
    first.tiny.add_wheel("worker", sdist)
    opened = open_workspace(first.tiny.root)
    asked = settings_digest(opened.workspace.settings, "slow")
    lock = read_lock(opened).with_builds([WheelBuild(sdist, AMD64, settings=asked)])
    (first.tiny.root / "orch.lock").write_text(format_lock(lock))
    ran = alone(first, "worker")
    assert ran.code == 2
    assert "worker wants slow, which is not built yet" in ran.err
    assert "hint: run: orch wheels; and commit orch.lock" in ran.err
