"""Several builds in one process of buildx."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Queue
from typing import cast

import pytest

from orchestrator.dockerfile import parse_dockerfile
from orchestrator.engines.buildkit.bake import Target, bake
from orchestrator.engines.buildkit.command import BuildCommand, is_plain
from orchestrator.engines.buildkit.process import Processes
from orchestrator.engines.buildkit.rawjson import Status, Targets
from orchestrator.engines.buildkit.staging import Staged
from orchestrator.engines.buildkit.together import Light, Together, is_light
from orchestrator.errors import InterruptedByUserError, OrchError
from orchestrator.model import BuildKitOptions, ImageSettings, Secret
from tests.helpers import AMD64

_PATIENCE_S = 20
DIGESTS = {name: "sha256:" + name * 64 for name in "abcdef"}
CHAIN = {"a": "", "b": "a", "c": "b", "d": "a"}
"""Images, parents first, and what each stands on."""


def said_of(name: str, digest: str) -> list[Status]:
    """Return what an engine says of a target whose image it has."""
    export = {"digest": f"export {name}", "name": f"[{name}] exporting to image"}
    written = {"id": f"writing image {digest}", "vertex": f"export {name}", "completed": "now"}
    return [
        {"vertexes": [{"digest": name, "name": f"[{name} 1/1] COPY", "started": "now"}]},
        {"vertexes": [export], "statuses": [written]},
        {"vertexes": [{**export, "completed": "now"}]},
    ]


class Builder:
    """Stands for `bake`: what it is asked to build is complete when a test says so."""

    def __init__(self) -> None:
        self.begun: Queue[Baking] = Queue()

    def bake(self, targets: Mapping[str, Target], done: Callable[[Target], None]) -> None:
        baking = Baking({target.image: target for target in targets.values()}, done)
        self.begun.put(baking)
        error = baking.over.get(timeout=_PATIENCE_S)
        if error:
            raise error

    def next(self) -> Baking:
        return self.begun.get(timeout=_PATIENCE_S)


@dataclass
class Baking:
    """A process: its targets by their images. It runs until something is put into `over`."""

    targets: Mapping[str, Target]
    done: Callable[[Target], None]
    over: Queue[Exception | None] = field(default_factory=Queue)

    def complete(self, *names: str) -> None:
        for name in names:
            self.targets[name].digest = DIGESTS[name]
            self.done(self.targets[name])

    def fail(self, name: str) -> None:
        failed = {"digest": name, "name": "COPY", "error": "no such file"}
        self.targets[name].take({"vertexes": [failed]})
        self.over.put(None)

    def places(self, name: str) -> Mapping[str, str]:
        return self.targets[name].command.contexts


class Scene:
    """Threads that ask for images of a workspace which are all light."""

    def __init__(self, parents: Mapping[str, str], at_once: int, pool: ThreadPoolExecutor) -> None:
        self.builder = Builder()
        self.logs: dict[str, list[str]] = {}
        lights = {
            name: Light(frozenset([parent] if parent else []), self._prepared)
            for name, parent in parents.items()
        }
        self.refused: set[str] = set()
        self._pool = pool
        self.together = Together(
            lights, at_once, self.builder.bake, lambda name, digest: f"{name}@{digest}", self._log
        )

    def ask(self, name: str, **parents: str) -> Future[str]:
        return self._pool.submit(self.together.build, name, parents)

    @contextmanager
    def _prepared(self, places: Mapping[str, str]) -> Iterator[BuildCommand]:
        if self.refused & places.keys():
            raise OrchError("changed while it was being built")
        yield replace(command("x"), contexts=dict(places))

    def _log(self, name: str, lines: Sequence[str]) -> None:
        self.logs.setdefault(name, []).extend(lines)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def result(asked: Future[str]) -> str:
    return asked.result(_PATIENCE_S)


def command(name: str, table: ImageSettings | None = None) -> BuildCommand:
    place = Staged(Path(f"/s/{name}"), Path(f"/s/{name}.Dockerfile"))
    return BuildCommand(table or ImageSettings(), AMD64, place, "default", {}, Path("/s"))


def test_images_are_built_with_what_they_stand_on_in_one_process(pool: ThreadPoolExecutor) -> None:
    scene = Scene(CHAIN, 100, pool)
    asked = scene.ask("a")
    baking = scene.builder.next()
    assert list(baking.targets) == ["a", "b", "c", "d"]
    assert baking.places("b") == {"a": "target:t0"}
    assert baking.places("c") == {"b": "target:t1"}
    baking.complete("a")
    assert result(asked) == DIGESTS["a"], "while the others are being built"
    asked = scene.ask("b", a=DIGESTS["a"])
    baking.complete("b", "c", "d")
    assert result(asked) == DIGESTS["b"]
    baking.over.put(None)
    assert result(scene.ask("c", b=DIGESTS["b"])) == DIGESTS["c"]
    assert scene.together.is_idle
    assert scene.builder.begun.empty()


def test_what_does_not_fit_into_one_process_is_built_when_it_is_asked_for(
    pool: ThreadPoolExecutor,
) -> None:
    scene = Scene(CHAIN, 8, pool)
    asked = scene.ask("a")
    first = scene.builder.next()
    assert list(first.targets) == ["a", "b"]
    first.complete("a", "b")
    assert result(asked) == DIGESTS["a"]
    asked = scene.ask("c", b=DIGESTS["b"])
    second = scene.builder.next()
    assert list(second.targets) == ["c"], "nobody said yet what a is"
    assert second.places("c") == {"b": f"b@{DIGESTS['b']}"}
    second.complete("c")
    assert result(asked) == DIGESTS["c"]
    for baking in (first, second):
        baking.over.put(None)


def test_what_stands_on_an_image_that_is_known_is_built_with_the_first_asked_for(
    pool: ThreadPoolExecutor,
) -> None:
    scene = Scene({"b": "a", "c": "a", "d": "z"}, 100, pool)
    asked = scene.ask("c", a=DIGESTS["a"])
    baking = scene.builder.next()
    assert list(baking.targets) == ["b", "c"], "in the order of all, whichever was asked for"
    baking.complete("b", "c")
    assert result(asked) == DIGESTS["c"]
    baking.over.put(None)


def test_of_those_that_share_a_process_the_one_at_fault_is_left_to_itself(
    pool: ThreadPoolExecutor,
) -> None:
    scene = Scene({"a": "", "b": "a", "c": "", "d": "c", "e": ""}, 100, pool)
    asked = {name: scene.ask(name) for name in ("a", "c", "e")}
    first = scene.builder.next()
    first.complete("e")
    first.fail("a")
    assert result(asked["a"]) == "", "it is built by itself, and says why it fails"
    second = scene.builder.next()
    assert list(second.targets) == ["c", "d"]
    second.complete("c", "d")
    assert (result(asked["c"]), result(asked["e"])) == (DIGESTS["c"], DIGESTS["e"])
    second.over.put(None)


def test_when_none_is_at_fault_half_as_many_are_tried_and_in_the_end_each_by_itself(
    pool: ThreadPoolExecutor,
) -> None:
    scene = Scene({"a": "", "b": "a", "c": "a", "d": "a"}, 16, pool)
    asked = scene.ask("a")
    sizes = []
    for _ in range(3):
        baking = scene.builder.next()
        sizes.append(len(baking.targets))
        baking.over.put(None)
    assert sizes == [4, 2, 1]
    assert result(asked) == ""
    asked = scene.ask("c", a=DIGESTS["a"])
    baking = scene.builder.next()
    baking.complete("c")
    baking.over.put(None)
    assert result(asked) == DIGESTS["c"]


def test_what_was_tried_in_vain_before_it_was_asked_for_is_tried_once_more_and_left_to_itself(
    pool: ThreadPoolExecutor,
) -> None:
    scene = Scene({"a": "", "b": "a"}, 100, pool)
    asked = scene.ask("a")
    for _ in range(3):
        baking = scene.builder.next()
        assert set(baking.targets) == {"a", "b"}
        baking.over.put(None)
    assert result(asked) == ""
    asked = scene.ask("b", a=DIGESTS["a"])
    scene.builder.next().over.put(None)
    assert result(asked) == ""


def test_an_image_on_another_than_was_made_together_with_it_is_left_to_itself(
    pool: ThreadPoolExecutor,
) -> None:
    scene = Scene({"a": "", "b": "a"}, 100, pool)
    asked = scene.ask("a")
    baking = scene.builder.next()
    baking.complete("a", "b")
    baking.over.put(None)
    assert result(asked) == DIGESTS["a"]
    assert result(scene.ask("b", a=DIGESTS["f"])) == ""


def test_what_cannot_be_staged_is_left_out_with_all_that_stands_on_it(
    pool: ThreadPoolExecutor,
) -> None:
    scene = Scene({"a": "", "b": "a", "c": "b", "d": ""}, 100, pool)
    scene.refused.add("a")
    asked = scene.ask("d")
    baking = scene.builder.next()
    assert list(baking.targets) == ["a", "d"]
    baking.complete("a", "d")
    baking.over.put(None)
    assert result(asked) == DIGESTS["d"]
    assert result(scene.ask("b", a=DIGESTS["a"])) == ""


def test_all_who_wait_are_told_that_the_run_was_stopped(pool: ThreadPoolExecutor) -> None:
    scene = Scene({"a": "", "b": ""}, 100, pool)
    asked = [scene.ask("a"), scene.ask("b")]
    scene.builder.next().over.put(InterruptedByUserError("stopped"))
    errors = [type(one.exception(_PATIENCE_S)) for one in asked]
    assert errors == [InterruptedByUserError] * 2


class Buildx:
    """Stands for processes: says lines, and writes digests unless it is ended before."""

    def __init__(self, statuses: Sequence[Status], metadata: Mapping[str, str], code: int) -> None:
        self.ended = False
        self._statuses = statuses
        self._metadata = metadata
        self._code = code

    def run(
        self,
        words: Sequence[str],
        _environment: dict[str, str],
        _folder: Path,
        take: Callable[[str], None],
        is_enough: Callable[[], bool],
    ) -> int:
        for status in self._statuses:
            take(json.dumps(status))
        self.ended = is_enough()
        if self.ended or self._code:
            return self._code
        (file,) = (word.partition("=")[2] for word in words if word.startswith("--metadata-file"))
        said = {name: {"containerimage.digest": at} for name, at in self._metadata.items()}
        Path(file).write_text(json.dumps(said))
        return 0


def baked(buildx: Buildx) -> tuple[list[str], dict[str, Target]]:
    """Bake two targets; return the images in the order they were complete, and the targets."""
    targets = {f"t{name}": Target(name, command(name)) for name in "ab"}
    complete: list[str] = []
    bake(targets, cast("Processes", buildx), ("buildx",), {}, lambda t: complete.append(t.image))
    return complete, targets


def test_an_image_is_complete_when_it_is_exported_and_the_process_when_all_are() -> None:
    buildx = Buildx([*said_of("tb", DIGESTS["b"]), *said_of("ta", DIGESTS["a"])], {}, 0)
    complete, targets = baked(buildx)
    assert complete == ["b", "a"]
    assert {target.image: target.digest for target in targets.values()} == {
        name: DIGESTS[name] for name in "ab"
    }
    assert targets["ta"].lines == ["#1 [1/1] COPY"]
    assert buildx.ended


def test_an_image_that_is_not_yet_exported_is_not_complete() -> None:
    complete, _ = baked(Buildx(said_of("ta", DIGESTS["a"])[:2], {}, 1))
    assert complete == []


def test_a_process_that_said_enough_is_ended(tmp_path: Path) -> None:
    words = ["sh", "-c", "echo one; echo two; exec sleep 600"]
    said: list[str] = []
    assert Processes().run(words, {}, tmp_path, said.append, lambda: len(said) == 2) == 0
    assert said == ["one\n", "two\n"]


def test_an_engine_that_tells_digests_at_the_end_is_heard_to_the_end() -> None:
    buildx = Buildx([], {"ta": DIGESTS["a"], "tb": DIGESTS["b"]}, 0)
    complete, _ = baked(buildx)
    assert sorted(complete) == ["a", "b"]
    assert not buildx.ended


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


def test_a_value_that_bake_would_take_for_a_variable_is_escaped() -> None:
    table = ImageSettings(target="app", build_args={"A": "${B} %{if} $C"})
    assert command("a", table).target() == {
        "context": "/s/a",
        "dockerfile": "/s/a.Dockerfile",
        "target": "app",
        "args": {"A": "$${B} %%{if} $C"},
        "platforms": ["linux/amd64"],
    }


def test_a_path_that_bake_would_take_for_a_variable_is_escaped() -> None:
    place = Staged(Path("/${s}/c"), Path("/${s}/D"), {"lib": Path("/${s}/lib")})
    said = replace(command("a"), staged=place).target()
    assert (said["context"], said["dockerfile"]) == ("/$${s}/c", "/$${s}/D")
    assert said["contexts"] == {"lib": "/$${s}/lib"}


def test_a_bake_file_names_references_as_buildkit_compares_them() -> None:
    parents = {"web:latest": "docker-image://a", "docker.io/library/ml": "docker-image://b"}
    build = replace(command("a"), contexts=parents)
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
def test_what_a_target_does_not_say_is_built_by_itself(options: BuildKitOptions) -> None:
    assert is_plain(ImageSettings())
    assert not is_plain(ImageSettings(options=options))


@pytest.mark.parametrize("heavy", ["RUN true", "ADD x /x", "ONBUILD RUN true"])
def test_a_dockerfile_that_runs_or_fetches_is_not_light(heavy: str) -> None:
    text = "FROM a\nCOPY x /x\nENV A=b\n"
    assert is_light(parse_dockerfile(text, "Dockerfile"))
    assert not is_light(parse_dockerfile(f"{text}{heavy}\n", "Dockerfile"))
