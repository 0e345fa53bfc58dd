"""Light images: built in one process of buildx, also those that stand on others of them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

from orchestrator.dockerfile.stages import Dockerfile
from orchestrator.engines.buildkit.bake import Target
from orchestrator.engines.buildkit.command import BuildCommand
from orchestrator.errors import OrchError

AT_ONCE = 100
"""How many images are built at once: of several hundreds a busy BuildKit loses some."""

_PROCESSES = 4
_TRIES = 3
_SLOW = frozenset({"RUN", "ADD", "ONBUILD"})


def is_light(dockerfile: Dockerfile) -> bool:
    """Tell whether a Dockerfile runs and fetches nothing, so that nobody waits for it for long."""
    stages = dockerfile.stages
    return not any(item.name in _SLOW for stage in stages for item in stage.instructions)


@dataclass(frozen=True, slots=True)
class Light:
    """An image that is built in no time, on siblings alone.

    `prepare` stages it for as long as it is built; it is told where the builder finds each parent.
    """

    parents: frozenset[str]
    prepare: Callable[[Mapping[str, str]], AbstractContextManager[BuildCommand]]


class Together:
    """Builds light images with `docker buildx bake`, before they are asked for. Threads share one.

    Who asks for one gets what was made of it as soon as that is complete, though others of the
    same process are not. `lights` come parents first; at most `at_once` of them are built at once.
    `address` says where the builder finds an image of a digest.
    """

    def __init__(
        self,
        lights: Mapping[str, Light],
        at_once: int,
        bake: Callable[[Mapping[str, Target], Callable[[Target], None]], None],
        address: Callable[[str, str], str],
        log: Callable[[str, Sequence[str]], None],
    ) -> None:
        self._lights = lights
        processes = min(_PROCESSES, at_once)
        self._share = at_once // processes
        self._bake = bake
        self._address = address
        self._log = log
        self._pool = ThreadPoolExecutor(processes, thread_name_prefix="bake")
        self._lock = threading.Lock()
        self._known: dict[str, str] = {}
        self._built: dict[str, str] = {}
        self._tries: Counter[str] = Counter()
        self._begun: set[str] = set()
        self._settled: dict[str, Future[bool]] = {}

    def build(self, name: str, parents: Mapping[str, str]) -> str:
        """Return the digest of what was made of an image, or nothing.

        It is to be built by itself then: it is not light, it failed, or one of its `parents` is
        not what was made of that here.

        Raises:
            InterruptedByUserError: It was stopped.
        """
        if name not in self._lights:
            return ""
        while not self._ask(name, parents).result():
            pass  # others failed; it is built with those that are left
        with self._lock:
            is_on_them = all(self._built.get(key, at) == at for key, at in parents.items())
            return self._built.get(name, "") if is_on_them else ""

    @property
    def is_idle(self) -> bool:
        """Tell whether everything that was begun is settled."""
        with self._lock:
            return all(future.done() for future in self._settled.values())

    def close(self) -> None:
        """Wait until nothing runs any more."""
        self._pool.shutdown(cancel_futures=True)

    def _ask(self, name: str, parents: Mapping[str, str]) -> Future[bool]:
        """Return what says whether an image is settled; else it is to be asked for once more."""
        with self._lock:
            self._known.update(parents)
            if name not in self._settled:
                self._settled[name] = Future()
                self._pool.submit(self._begin, name)
            return self._settled[name]

    def _begin(self, name: str) -> None:
        """Build an image that was asked for, with all that can be built now."""
        with self._lock:
            if name in self._begun:
                return
            names, known = self._choose(name), dict(self._known)
            self._begun.update(names)
            for one in names:
                self._settled.setdefault(one, Future())
        try:
            at_fault = self._carry_out(names, known)
        except BaseException as error:  # noqa: BLE001 - each of those who wait raises it
            for one in names:
                if one not in self._built:
                    self._settled[one].set_exception(error)
        else:
            self._give_back([one for one in names if one not in self._built], at_fault)

    def _choose(self, name: str) -> list[str]:
        """Return an image and others that stand on nothing but these and what is known.

        In the order of all: two runs that wait for each other's contexts would never end.
        """
        chosen = {name}
        for other, light in self._lights.items():
            if len(chosen) >= self._share:
                break
            if other not in self._begun and light.parents <= chosen | self._known.keys():
                chosen.add(other)
        return [one for one in self._lights if one in chosen]

    def _carry_out(self, names: Sequence[str], known: Mapping[str, str]) -> set[str]:
        """Build images in one process; return those at fault where not all were built."""
        targets: dict[str, Target] = {}
        places: dict[str, str] = {}
        with ExitStack() as stack:
            for number, name in enumerate(names):
                if command := self._prepare(name, places, known, stack):
                    targets[f"t{number}"] = Target(name, command)
                    places[name] = f"target:t{number}"
            if targets:
                self._bake(targets, self._done)
        for target in targets.values():
            self._log(target.image, target.lines)
        failed = {target.image for target in targets.values() if target.is_at_fault}
        return failed | (set(names) - places.keys())

    def _prepare(
        self, name: str, places: Mapping[str, str], known: Mapping[str, str], stack: ExitStack
    ) -> BuildCommand | None:
        """Return an image's build; None where it cannot be: built by itself it says why."""
        light = self._lights[name]
        if not light.parents <= places.keys() | known.keys():
            return None
        try:
            found = {
                parent: places.get(parent) or self._address(parent, known[parent])
                for parent in light.parents
            }
            return stack.enter_context(light.prepare(found))
        except OrchError:
            return None

    def _done(self, target: Target) -> None:
        self._log(target.image, target.take_lines())
        with self._lock:
            self._built[target.image] = target.digest
        self._settled[target.image].set_result(True)

    def _give_back(self, names: Sequence[str], at_fault: Collection[str]) -> None:
        """Settle what was not built and is to be built by itself; let go of the rest.

        Where none was at fault they were too many for the builder: the next are half as many.
        """
        if names and not at_fault:
            self._share = max(self._share // 2, 1)
        for name in names:
            with self._lock:
                self._tries[name] += 1
                is_asked_for = self._lights[name].parents <= self._known.keys()
                is_alone = name in at_fault or self._tries[name] >= _TRIES
                future = self._settled[name]
                if not (is_asked_for and is_alone):
                    del self._settled[name]
                    self._begun.discard(name)
            future.set_result(is_asked_for and is_alone)
