"""Turns stanzas into what resolvelib solves: requirements, and the candidates that meet them.

A package name is an identifier; its candidates are its versions, and "absent". A clause that
several names can meet is an identifier of its own, whose candidates each lead to one name.
Conflicts are requirements too: they are met by "absent" and by every version that is not struck.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from orchestrator.model import LockedDeb
from orchestrator.resolve.debian.packages import Deb, Universe
from orchestrator.resolve.debian.relations import Clause, Relation
from orchestrator.resolve.debian.script_only import SCRIPT_ONLY


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A version of a package, a way to meet a clause, or (with neither) a package's absence."""

    identifier: str
    deb: Deb | None = None
    leads_to: Requirement | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Requirement:
    """What one package asks of an identifier: that one of `accepted`, best first, is taken."""

    identifier: str
    text: str
    accepted: tuple[Candidate, ...]
    is_conflict: bool = False
    accepted_set: frozenset[Candidate] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "accepted_set", frozenset(self.accepted))


class Candidates:
    """The candidates and requirements of one resolution; asking twice gives the same objects."""

    def __init__(
        self,
        universe: Universe,
        held: Mapping[str, LockedDeb],
        preferred: Mapping[str, str],
        asked: frozenset[str],
    ) -> None:
        self.universe = universe
        self.preferred = preferred
        self.held = {name: _held_deb(universe, deb) for name, deb in held.items()}
        self._asked = asked | held.keys()
        self._of_name: dict[str, tuple[Candidate, ...]] = {}
        self._absent: dict[str, Candidate] = {}
        self._required: dict[Clause, Requirement] = {}
        self._held_providers: dict[str, set[str]] = {}
        for deb in self.held.values():
            for provided in deb.provides:
                self._held_providers.setdefault(provided.name, set()).add(deb.name)

    def of_name(self, name: str) -> tuple[Candidate, ...]:
        """Return a package's versions: the held one alone, or the preferred, then the highest."""
        found = self._of_name.get(name)
        if found is None:
            held = self.held.get(name)
            debs = (held,) if held is not None else self.universe.versions(name)
            kept = self.preferred.get(name)
            ordered = sorted(debs, key=lambda deb: deb.version != kept)
            found = self._of_name[name] = tuple(Candidate(name, deb) for deb in ordered)
        return found

    def dependencies(self, candidate: Candidate) -> Iterator[Requirement]:
        """Yield what taking a candidate asks for; a held package's needs are met already."""
        if candidate.leads_to is not None:
            yield candidate.leads_to
        deb = candidate.deb
        if deb is None or deb.name in self.held:
            return
        for clause in (*deb.pre_depends, *deb.depends):
            if not self._is_script_only(clause):
                yield self.require(clause)
        yield from self.conflicts(deb)

    def conflicts(self, deb: Deb) -> Iterator[Requirement]:
        """Yield a requirement for each package some version of which may not stand beside `deb`."""
        for relation in (*deb.conflicts, *deb.breaks):
            for name in self._names(relation):
                # A package may conflict with what it provides: "I alone" (Policy 7.4).
                if name != deb.name:
                    yield from self._forbid(relation, name)

    def require(self, clause: Clause) -> Requirement:
        """Return the requirement that a clause stands for."""
        found = self._required.get(clause)
        if found is None:
            found = self._required[clause] = self._require(clause)
        return found

    def absence(self, identifier: str) -> Candidate:
        """Return the candidate that stands for nothing."""
        return self._absent.setdefault(identifier, Candidate(identifier))

    def _require(self, clause: Clause) -> Requirement:
        text = str(clause)
        options: dict[str, list[Candidate]] = {}
        for relation in clause.alternatives:
            for name in self._names(relation):
                accepted = [c for c in self.of_name(name) if c.deb and c.deb.matches(relation)]
                if accepted:
                    known = options.setdefault(name, [])
                    known += [candidate for candidate in accepted if candidate not in known]
        choices = [Requirement(name, text, tuple(found)) for name, found in options.items()]
        if len(choices) == 1:
            return choices[0]
        identifier = f"({text})"
        return Requirement(
            identifier, text, tuple(Candidate(identifier, leads_to=choice) for choice in choices)
        )

    def _forbid(self, relation: Relation, name: str) -> Iterator[Requirement]:
        all_versions = self.of_name(name)
        left = tuple(c for c in all_versions if c.deb and not c.deb.matches(relation))
        if len(left) < len(all_versions):
            accepted = (*left,) if name in self.held else (self.absence(name), *left)
            yield Requirement(name, str(relation), accepted, is_conflict=True)

    def _names(self, relation: Relation) -> Iterator[str]:
        """Yield the packages that may be meant: the real one, then providers, usual ones first."""
        if self.of_name(relation.name):
            yield relation.name
        providers = {
            *self.universe.providers(relation.name),
            *self._held_providers.get(relation.name, ()),
        }
        yield from sorted(providers - {relation.name}, key=self._usual)

    def _usual(self, name: str) -> tuple[int, str]:
        return min((c.deb.priority for c in self.of_name(name) if c.deb), default=0), name

    def _is_script_only(self, clause: Clause) -> bool:
        names = {relation.name for relation in clause.alternatives}
        return not names.isdisjoint(SCRIPT_ONLY) and names.isdisjoint(self._asked)


def _held_deb(universe: Universe, locked: LockedDeb) -> Deb:
    """Return the stanza of a held package.

    Where the archive has moved on, the newest stanza stands in for the old one's relations.
    """
    versions = universe.versions(locked.name)
    for deb in versions:
        if deb.version == locked.version:
            return deb
    if versions:
        return replace(versions[0], version=locked.version)
    return Deb(locked.name, locked.version, locked.architecture)
