"""External images at their registries: what references name there, and what has moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from orchestrator.app.opened import Opened, read_lock
from orchestrator.app.registries import reading
from orchestrator.errors import LockError, OrchError
from orchestrator.externals import find_externals
from orchestrator.publish.crew import Crew
from orchestrator.publish.http_registry import HttpRegistry
from orchestrator.publish.reference import Reference
from orchestrator.publish.registry import (
    CredentialsError,
    NotPublishedError,
    RefusedError,
    RegistryUnreachableError,
)
from orchestrator.publish.wire import Wire
from orchestrator.resolve.pinning import BaseStatus, CheckedBase, Upstream
from orchestrator.select import Selection

_JOBS = 8
_PHRASES = (
    (RegistryUnreachableError, "its registry is out of reach"),
    (NotPublishedError, "its registry does not have it"),
    (CredentialsError, "its registry wants a login"),
    (RefusedError, "its registry refuses"),
)


def check_bases(opened: Opened, selection: Selection) -> tuple[CheckedBase, ...]:
    """Compare the pins of what selected images stand on with their registries.

    Raises:
        LockError: There is no lock.
        WorkspaceError: A selected image is unknown.
    """
    graph, lock = opened.graph, read_lock(opened)
    if not opened.paths.lock.exists():
        raise LockError("there is no orch.lock", hint="run: orch lock")
    names = set(graph.ancestors(selection.choose(graph)))
    externals = [item for item in find_externals(graph) if names & set(item.images)]
    rows = {row.reference: row for row in lock.externals}
    pins = {reference: row.digest for reference, row in rows.items() if row.digest}
    upstream = ask_upstream(opened, [item.reference for item in externals])
    found = []
    for item in externals:
        pin, now = pins.get(item.reference, ""), upstream[item.reference]
        status = _compare(pin, now)
        why = now.detail
        if status is BaseStatus.UNPINNED:
            row = rows.get(item.reference)
            why = row.unpinned if row else "it is not in orch.lock"
        dependents = tuple(name for name in graph.descendants(item.images) if name in names)
        found.append(CheckedBase(item, status, pin, now.digest, dependents, why))
    return tuple(found)


def _compare(pin: str, now: Upstream) -> BaseStatus:
    if not pin:
        return BaseStatus.UNPINNED
    if now.digest:
        return BaseStatus.CURRENT if now.digest == pin else BaseStatus.MOVED
    return BaseStatus.GONE if now.why == dict(_PHRASES)[NotPublishedError] else BaseStatus.UNKNOWN


def ask_upstream(opened: Opened, references: Sequence[str]) -> Mapping[str, Upstream]:
    """Ask registries what references name; what cannot be told is in the answers too.

    A registry that is out of reach is asked no more.
    """
    parsed: dict[str, Reference] = {}
    found: dict[str, Upstream] = {}
    for reference in references:
        try:
            parsed[reference] = Reference.parse(reference)
        except OrchError as error:
            found[reference] = _unknown(error)
    if not parsed:
        return found
    with ExitStack() as resources:
        hosts = sorted({item.repository.host for item in parsed.values()})
        places = {
            host: resources.enter_context(reading(opened, host, in_passing=True)) for host in hosts
        }
        asking = _Asking(places, parsed)
        crew = Crew(_JOBS, asking.stop)
        resources.callback(crew.close)
        told = crew.each(asking.ask, list(parsed), keep_going=True)
    found |= told.results
    found |= {reference: _unknown(error) for reference, error in told.errors.items()}
    return found


class _Asking:
    """Asks each registry for several references; threads share one."""

    def __init__(
        self, places: Mapping[str, tuple[Wire, HttpRegistry]], parsed: Mapping[str, Reference]
    ) -> None:
        self._places = places
        self._parsed = parsed
        self._lost: dict[str, OrchError] = {}

    def ask(self, text: str) -> Upstream:
        reference = self._parsed[text]
        repository = reference.repository
        if lost := self._lost.get(repository.host):
            raise lost
        try:
            _, registry = self._places[repository.host]
            digest = registry.find_manifest(repository, reference.pointer)
        except RegistryUnreachableError as error:
            self._lost[repository.host] = error
            raise
        if digest is None:
            raise NotPublishedError(
                f"{repository} has no {reference.pointer}", hint="name a tag that it has"
            )
        return Upstream(digest)

    def stop(self) -> None:
        """Give up what runs."""
        for wire, _ in self._places.values():
            wire.stop()


def _unknown(error: OrchError) -> Upstream:
    for kind, phrase in _PHRASES:
        if isinstance(error, kind):
            return Upstream(why=phrase, detail=str(error))
    return Upstream(why="its registry's answer is of no use", detail=str(error))
