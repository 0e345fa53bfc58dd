"""Which Debian packages a set of wanted ones needs, beyond what an image's parents hold."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from resolvelib import AbstractProvider, BaseReporter, ResolutionImpossible, Resolver
from resolvelib.resolvers import ResolutionTooDeep

from orchestrator.errors import ResolutionError
from orchestrator.model import LockedDeb
from orchestrator.resolve.debian.candidates import Candidate, Candidates, Requirement
from orchestrator.resolve.debian.conflict import explain_conflict
from orchestrator.resolve.debian.packages import Universe

if TYPE_CHECKING:
    from resolvelib.providers import Preference
    from resolvelib.resolvers import RequirementInformation

    _Information = RequirementInformation[Requirement, Candidate]

_MAX_ROUNDS = 20_000


def resolve_debs(
    universe: Universe,
    wanted: Sequence[str],
    held: Mapping[str, LockedDeb],
    preferred: Mapping[str, str],
) -> tuple[LockedDeb, ...]:
    """Return the packages to add so that the wanted ones have all they depend on, by name.

    `wanted` holds `NAME` or `NAME=VERSION`. `held` are the parents' packages: they stay as they
    are, meet dependencies and are not in the result. `preferred` maps names to versions to keep
    while they are offered. Depends and Pre-Depends are followed, Recommends are not; what only
    maintainer scripts need (`SCRIPT_ONLY`) is left out. Of alternatives the first is taken
    unless another is there already; of versions the highest. Equal inputs give an equal result.

    Raises:
        ResolutionError: A package is not offered, or no choice satisfies everybody.
    """
    asked = [_split_wanted(item) for item in wanted]
    candidates = Candidates(universe, held, preferred, frozenset(name for name, _ in asked))
    roots = [_require_wanted(candidates, name, version) for name, version in asked]
    for deb in candidates.held.values():
        roots += candidates.conflicts(deb)
    taken = _solve(candidates, roots)
    added = (c.deb for c in taken if c.deb is not None and c.identifier not in held)
    return tuple(sorted((deb.locked() for deb in added), key=attrgetter("name")))


class _DebianProvider(AbstractProvider[Requirement, Candidate, str]):
    """Answers resolvelib's questions."""

    def __init__(self, candidates: Candidates, chosen: _Chosen) -> None:
        self._candidates = candidates
        self._chosen = chosen

    def identify(self, requirement_or_candidate: Requirement | Candidate) -> str:
        return requirement_or_candidate.identifier

    def get_preference(
        self,
        identifier: str,
        resolutions: Mapping[str, Candidate],  # noqa: ARG002 - this and the rest: resolvelib's
        candidates: Mapping[str, Iterator[Candidate]],  # noqa: ARG002
        information: Mapping[str, Iterator[_Information]],  # noqa: ARG002
        backtrack_causes: Sequence[_Information],  # noqa: ARG002
    ) -> Preference:
        # Choices wait until all that must be there is: it may make the choice.
        return identifier.startswith("("), identifier

    def find_matches(
        self,
        identifier: str,
        requirements: Mapping[str, Iterator[Requirement]],
        incompatibilities: Mapping[str, Iterator[Candidate]],
    ) -> Sequence[Candidate]:
        struck = set(incompatibilities[identifier])
        asked = [*requirements[identifier]]
        if not asked:
            # Those who asked are gone after a step back, so nothing needs to be there.
            return [c for c in (self._candidates.absence(identifier),) if c not in struck]
        first, *others = asked
        matches = [
            candidate
            for candidate in first.accepted
            if candidate not in struck and all(candidate in r.accepted_set for r in others)
        ]
        return _Choices(matches, self._chosen) if identifier.startswith("(") else matches

    def is_satisfied_by(self, requirement: Requirement, candidate: Candidate) -> bool:
        return candidate in requirement.accepted_set

    def get_dependencies(self, candidate: Candidate) -> Iterable[Requirement]:
        return self._candidates.dependencies(candidate)


class _Chosen(BaseReporter[Requirement, Candidate, str]):
    """Remembers which packages were taken, so that a later choice can fall on one of them."""

    def __init__(self, candidates: Candidates) -> None:
        self._held = candidates.held
        self._preferred = candidates.preferred
        self._names: set[str] = set()

    def pinning(self, candidate: Candidate) -> None:
        if candidate.deb is not None:
            self._names.add(candidate.identifier)

    def rank(self, candidate: Candidate) -> int:
        """Return how near at hand a choice's package is; the nearest has the lowest rank."""
        name = candidate.leads_to.identifier if candidate.leads_to else candidate.identifier
        at_hand = (name in self._held, name in self._names, name in self._preferred, True)
        return at_hand.index(True)


class _Choices(Sequence[Candidate]):
    """Alternatives that are put in order when they are gone through, and not before."""

    def __init__(self, alternatives: list[Candidate], chosen: _Chosen) -> None:
        self._alternatives = alternatives
        self._chosen = chosen

    def __iter__(self) -> Iterator[Candidate]:
        return iter(sorted(self._alternatives, key=self._chosen.rank))

    def __len__(self) -> int:
        return len(self._alternatives)

    def __getitem__(self, index: Any) -> Any:
        return sorted(self._alternatives, key=self._chosen.rank)[index]


def _solve(candidates: Candidates, roots: list[Requirement]) -> list[Candidate]:
    chosen = _Chosen(candidates)
    resolver = Resolver(_DebianProvider(candidates, chosen), chosen)
    try:
        return list(resolver.resolve(roots, max_rounds=_MAX_ROUNDS).mapping.values())
    except ResolutionImpossible as error:
        raise explain_conflict(candidates, roots, error.causes) from error
    except ResolutionTooDeep as error:
        raise ResolutionError(
            f"no set of packages was found in {_MAX_ROUNDS} steps",
            hint="say which alternatives you want by naming them in [system] packages",
        ) from error


def _split_wanted(item: str) -> tuple[str, str]:
    name, _, version = item.partition("=")
    return name.strip(), version.strip()


def _require_wanted(candidates: Candidates, name: str, version: str) -> Requirement:
    universe, offered = candidates.universe, candidates.of_name(name)
    where = f"{universe.suite} ({universe.architecture})"
    if not offered:
        raise ResolutionError(f"{name}: no such package in {where}", hint=_hint(universe, name))
    if not version:
        return Requirement(name, name, offered)
    right = tuple(c for c in offered if c.deb and c.deb.version == version)
    if not right:
        found = ", ".join(c.deb.version for c in offered if c.deb)
        holder = "the parent image holds" if name in candidates.held else f"{where} has"
        raise ResolutionError(
            f"{name}={version}: {holder} {found}",
            hint="ask for one of these versions, or name none to take the highest",
        )
    return Requirement(name, f"{name} (= {version})", right)


def _hint(universe: Universe, name: str) -> str:
    providers = universe.providers(name)
    if providers:
        return f"it is a virtual package; name one that provides it: {', '.join(providers)}"
    near = difflib.get_close_matches(name, universe.names, n=3, cutoff=0.7)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return "apt-cache search finds names; components under [debian] say where they are looked for"
