"""Several builds in one process of buildx."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from orchestrator.dockerfile import parse_dockerfile
from orchestrator.engines.buildkit.command import BuildCommand
from orchestrator.engines.buildkit.process import Processes
from orchestrator.engines.buildkit.rawjson import Status, Targets
from orchestrator.engines.buildkit.staging import Staged
from orchestrator.engines.buildkit.together import Together, is_light
from orchestrator.errors import InterruptedByUserError
from orchestrator.model import BuildKitOptions, ImageSettings, Secret
from tests.helpers import AMD64

_PATIENCE_S = 20


class Heard(list[Any]):
    """A list that tells of each that is put into it."""

    def __init__(self, tell: Callable[[], None]) -> None:
        super().__init__()
        self._tell = tell

    def append(self, item: object) -> None:
        super().append(item)
        self._tell()


class Bakes:
    """Stands for processes: each bake waits for `open`, then says that all targets are built."""

    def __init__(self, code: int = 0, error: Exception | None = None) -> None:
        self.open = threading.Event()
        self.begun = threading.Semaphore(0)
        self.targets: list[list[str]] = []
        self._code = code
        self._error = error

    def run(
        self,
        words: Sequence[str],
        _environment: dict[str, str],
        _folder: Path,
        take: Callable[[str], None],
    ) -> int:
        options = dict(word.split("=", 1) for word in words if "=" in word)
        document = json.loads(Path(options["--file"]).read_text())["target"]
        names = [word for word in words[3:] if not word.startswith("--")]
        self.targets.append([document[name]["context"] for name in names])
        self.begun.release()
        assert self.open.wait(_PATIENCE_S)
        if self._error:
            raise self._error
        for name in names:
            take(json.dumps({"vertexes": [{"digest": name, "name": f"[{name} 1/1] COPY"}]}))
        if self._code == 0:
            text = json.dumps({name: {"of": document[name]["context"]} for name in names})
            Path(options["--metadata-file"]).write_text(text)
        return self._code


def command(folder: Path, name: str, table: ImageSettings | None = None) -> BuildCommand:
    place = Staged(Path(f"/s/{name}"), Path(f"/s/{name}.Dockerfile"))
    metadata = folder / f"{name}.json"
    return BuildCommand(table or ImageSettings(), AMD64, place, "default", metadata, {}, folder)


class Crowd:
    """Threads that ask for a build each."""

    def __init__(self, bakes: Bakes, folder: Path, pool: ThreadPoolExecutor) -> None:
        self.bakes = bakes
        self.said: dict[str, list[Status]] = {}
        self.waiting = threading.Semaphore(0)
        self._together = Together(cast("Processes", bakes), ("docker", "buildx"), {})
        self._folder = folder
        self._pool = pool

    def ask(self, name: str) -> Future[bool]:
        heard = self.said.setdefault(name, [])
        return self._pool.submit(self._together.build, command(self._folder, name), heard.append)

    def all_of(self) -> list[Future[bool]]:
        """Let two be under way, and three come meanwhile; then let all go on."""
        asked = []
        for name in ("a", "b"):
            asked.append(self.ask(name))
            assert self.bakes.begun.acquire(timeout=_PATIENCE_S)
        self._together._waiting = Heard(self.waiting.release)
        asked += [self.ask(name) for name in ("c", "d", "e")]
        for _ in range(3):
            assert self.waiting.acquire(timeout=_PATIENCE_S)
        self.bakes.open.set()
        return asked


def test_those_who_come_while_others_are_built_are_built_in_one_process(tmp_path: Path) -> None:
    bakes = Bakes()
    with ThreadPoolExecutor(5) as pool:
        scene = Crowd(bakes, tmp_path, pool)
        assert [asked.result(_PATIENCE_S) for asked in scene.all_of()] == [True] * 5
    assert [sorted(batch) for batch in bakes.targets] == [
        ["/s/a"],
        ["/s/b"],
        ["/s/c", "/s/d", "/s/e"],
    ]
    for name in "abcde":
        assert json.loads((tmp_path / f"{name}.json").read_text()) == {"of": f"/s/{name}"}
        (status,) = scene.said[name]
        assert status["vertexes"][0]["name"] == "[1/1] COPY"


def test_one_that_fails_leaves_all_to_be_built_by_themselves(tmp_path: Path) -> None:
    with ThreadPoolExecutor(5) as pool:
        asked = Crowd(Bakes(code=1), tmp_path, pool).all_of()
        assert [one.result(_PATIENCE_S) for one in asked] == [False] * 5
    assert not list(tmp_path.glob("*.json"))


def test_all_who_wait_are_told_that_the_run_was_stopped(tmp_path: Path) -> None:
    with ThreadPoolExecutor(5) as pool:
        asked = Crowd(Bakes(error=InterruptedByUserError("stopped")), tmp_path, pool).all_of()
        errors = [type(one.exception(_PATIENCE_S)) for one in asked]
    assert errors == [InterruptedByUserError] * 5


def test_what_is_said_of_one_target_is_told_to_it_alone() -> None:
    targets = Targets(["t1", "t11"])
    vertexes = [
        {"digest": "1", "name": "[t1 internal] load"},
        {"digest": "2", "name": "[t11] exporting to image"},
        {"digest": "3", "name": "[internal] load local bake definitions"},
    ]
    assert dict(targets.split({"vertexes": vertexes})) == {
        "t1": {"vertexes": [{"digest": "1", "name": "[internal] load"}]},
        "t11": {"vertexes": [{"digest": "2", "name": "exporting to image"}]},
    }
    logs = [{"vertex": "1", "data": "eA=="}, {"vertex": "3", "data": "eA=="}]
    assert dict(targets.split({"logs": logs})) == {"t1": {"logs": logs[:1]}}


def test_a_step_that_two_targets_share_is_told_to_both() -> None:
    targets = Targets(["t0", "t1"])
    shared = [{"digest": "1", "name": "[t0 1/2] FROM"}, {"digest": "1", "name": "[t1 1/2] FROM"}]
    list(targets.split({"vertexes": shared}))
    assert set(dict(targets.split({"logs": [{"vertex": "1"}]}))) == {"t0", "t1"}


def test_a_value_that_bake_would_take_for_a_variable_is_escaped(tmp_path: Path) -> None:
    table = ImageSettings(target="app", build_args={"A": "${B} %{if} $C"})
    assert command(tmp_path, "a", table).target() == {
        "context": "/s/a",
        "dockerfile": "/s/a.Dockerfile",
        "target": "app",
        "args": {"A": "$${B} %%{if} $C"},
        "platforms": ["linux/amd64"],
    }


def test_a_bake_file_names_references_as_buildkit_compares_them(tmp_path: Path) -> None:
    parents = {"web:latest": "docker-image://a", "docker.io/library/ml": "docker-image://b"}
    build = replace(command(tmp_path, "a"), contexts=parents)
    assert build.target()["contexts"] == {"web": "docker-image://a", "ml": "docker-image://b"}


@pytest.mark.parametrize(
    "options",
    [
        BuildKitOptions(secrets=(Secret("a", env="TOKEN"),)),
        BuildKitOptions(ssh=("default",)),
        BuildKitOptions(network="host"),
        BuildKitOptions(cache_to=("type=inline",)),
    ],
)
def test_what_a_target_does_not_say_is_built_by_itself(
    tmp_path: Path, options: BuildKitOptions
) -> None:
    assert command(tmp_path, "a").is_plain
    assert not command(tmp_path, "a", ImageSettings(options=options)).is_plain


@pytest.mark.parametrize("heavy", ["RUN true", "ADD x /x", "ONBUILD RUN true"])
def test_a_dockerfile_that_runs_or_fetches_is_not_light(heavy: str) -> None:
    text = "FROM a\nCOPY x /x\nENV A=b\n"
    assert is_light(parse_dockerfile(text, "Dockerfile"))
    assert not is_light(parse_dockerfile(f"{text}{heavy}\n", "Dockerfile"))
