"""`orch verify` as a user types it, on a machine without Docker."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests import verbs
from tests.helpers import ROOT, write_lock, write_tree, write_workspace
from tests.verbs import run_orch

SERVICE = """
from = "a"
[[files]]
from = "app"
to = "/app"
[config]
user = "1000"
entrypoint = ["/app/serve"]
[gates]
max-growth = "20%"
"""


class Ran(verbs.Ran):
    def image(self, name: str) -> Any:
        return next(row for row in self.data["images"] if row["name"] == name)

    def results(self, name: str) -> dict[str, str]:
        return {gate["id"]: gate["result"] for gate in self.image(name)["gates"]}


@pytest.fixture
def orch(
    tmp_path: Path, orch_cache: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ran]:
    """Return `orch -C WORKSPACE ...` as a function; the workspace is a base and a service."""
    files = '[[files]]\nfrom = "src"\nto = "/srv"\n'
    write_workspace(tmp_path, {"base/a": f'from = "{ROOT}"\n{files}', "services/s": SERVICE})
    write_tree(tmp_path, {"base/a/src/x": "x", "services/s/app/serve": "#!/bin/sh\n" * 100})
    (tmp_path / "services/s/app/serve").chmod(0o755)
    write_lock(tmp_path)

    def run(*arguments: str) -> Ran:
        ran = run_orch(capsys, "-C", tmp_path, *arguments)
        return Ran(ran.code, ran.out, ran.err)

    return run


Orch = Callable[..., Ran]


def test_what_is_not_built_is_an_error_that_says_what_to_do(orch: Orch) -> None:
    ran = orch("verify")
    assert ran.code == 2
    assert "not up to date: a (linux/amd64: never-built)" in ran.err
    assert "orch build" in ran.err


def test_without_docker_what_can_be_read_is_checked_and_the_rest_is_listed(orch: Orch) -> None:
    orch("build")
    ran = orch("verify", "--format", "json")
    assert ran.code == 0
    results = ran.results("s")
    assert results["user"] == results["command"] == "passed"
    assert results["starts"] == "not-checked"
    assert "not checked: starts of s: no Docker engine answers" in ran.err
    document = json.loads(ran.out)
    assert (document["ok"], document["complete"], document["engine"]) == (True, False, "")


def test_a_base_is_not_started(orch: Orch) -> None:
    orch("build")
    assert not {"starts", "writes"} & orch("verify", "--format", "json", "a").results("a").keys()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--runtime", "none"), 0),
        (("--runtime", "none", "--strict"), 3),
        (("--strict",), 3),
        (("--runtime", "docker"), 3),
        (("--runtime", "none", "--strict", "a"), 0),
    ],
)
def test_what_could_not_be_checked_fails_if_that_is_asked_for(
    orch: Orch, arguments: tuple[str, ...], code: int
) -> None:
    orch("build")
    assert orch("verify", *arguments).code == code


def test_growth_is_held_against_the_last_image_that_passed(orch: Orch, tmp_path: Path) -> None:
    dump = tmp_path / "services/s/app/dump.sql"
    assert orch("build").code == 0
    assert orch("verify", "--format", "json").results("s")["max-growth"] == "not-checked"
    for size_bytes in (1000, 1001):  # the second time as the first: what failed is no measure
        dump.write_bytes(bytes(size_bytes))
        assert orch("build").code == 0
        grown = orch("verify", "--format", "json", "s")
        assert grown.code == 1
        assert grown.results("s")["max-growth"] == "failed"
        assert "/app/dump.sql" in {row["name"] for row in grown.image("s")["size"]["largest"]}
    dump.write_bytes(bytes(100))
    assert orch("build").code == 0
    assert orch("verify", "--format", "json").results("s")["max-growth"] == "passed"


def test_an_image_that_is_too_big_shows_what_weighs_how_much(orch: Orch, tmp_path: Path) -> None:
    recipe = tmp_path / "services/s/image.toml"
    recipe.write_text(SERVICE.replace('max-growth = "20%"', 'max-size = "500 B"'))
    orch("build")
    ran = orch("verify")
    assert ran.code == 1
    assert "failed       max-size" in ran.out
    assert "the largest:" in ran.out


def test_a_report_is_written_also_when_a_gate_failed(orch: Orch, tmp_path: Path) -> None:
    recipe = tmp_path / "services/s/image.toml"
    recipe.write_text(SERVICE.replace('user = "1000"', 'user = "0"'))
    orch("build")
    report = tmp_path / "verify.json"
    assert orch("verify", "--report", str(report)).code == 1
    document = json.loads(report.read_text())
    assert (document["schema"], document["ok"]) == ("orch.verify/1", False)


def test_verifications_are_remembered_with_the_gates_that_failed(
    orch: Orch, tmp_path: Path
) -> None:
    orch("build")
    assert orch("verify", "--runtime", "none").code == 0
    recipe = tmp_path / "services/s/image.toml"
    recipe.write_text(SERVICE.replace('max-growth = "20%"', 'max-size = "500 B"'))
    orch("build")
    assert orch("verify", "--runtime", "none").code == 1
    shown = orch("history", "--kind", "verify", "--format", "json")
    failed, passed = json.loads(shown.out)["runs"]
    assert [passed["result"], failed["result"]] == ["done", "failed"]
    assert {image["status"] for image in passed["images"]} == {"passed"}
    because = {image["name"]: image["because"] for image in failed["images"]}
    assert because == {"a": "", "s": "max-size"}


def test_a_verification_that_is_interrupted_is_remembered_as_that(
    orch: Orch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    orch("build")
    monkeypatch.setattr("orchestrator.app.verifying.judge", interrupt)
    assert orch("verify", "--runtime", "none").code == 130
    shown = orch("history", "--kind", "verify", "--format", "json")
    (run,) = json.loads(shown.out)["runs"]
    assert (run["result"], run["images"]) == ("interrupted", [])


def test_a_layer_that_is_damaged_is_told_and_no_other_image_suffers(
    orch: Orch, tmp_path: Path
) -> None:
    orch("build")
    sound = orch("verify", "--format", "json").image("s")
    own = sound["size"]["layers"][-1]["digest"].removeprefix("sha256:")
    blob = tmp_path / ".orch/layout/blobs/sha256" / own
    blob.write_bytes(bytes(blob.stat().st_size))
    ran = orch("verify", "--format", "json")
    assert ran.code == 1
    assert "cannot be read" in ran.image("s")["error"]["message"]
    assert ran.image("a")["ok"]
