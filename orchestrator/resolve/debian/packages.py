"""The packages of one architecture, read from `Packages` indexes as far as they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orchestrator.errors import ArtifactError
from orchestrator.model import LockedDeb
from orchestrator.resolve.debian.deb822 import parse_paragraphs
from orchestrator.resolve.debian.relations import Clause, Relation, parse_relations
from orchestrator.resolve.debian.version import satisfies, version_key

_PACKAGE = b"Package: "
_PROVIDES = b"\nProvides: "
_PRIORITIES = ("required", "important", "standard", "optional", "extra")
_TELL = "tell who keeps the archive; until then set another mirror under [debian]"


@dataclass(frozen=True, slots=True, eq=False)
class Deb:
    """A binary package's stanza; two are the same only when they are one object."""

    name: str
    version: str
    architecture: str
    depends: tuple[Clause, ...] = ()
    pre_depends: tuple[Clause, ...] = ()
    provides: tuple[Relation, ...] = ()
    conflicts: tuple[Relation, ...] = ()
    breaks: tuple[Relation, ...] = ()
    filename: str = ""
    sha256: str = ""
    size_bytes: int = 0
    priority: int = len(_PRIORITIES)

    def __str__(self) -> str:
        """Return name and version."""
        return f"{self.name} {self.version}"

    def matches(self, relation: Relation) -> bool:
        """Tell whether the package is, or provides, what the relation names (Policy 7.5)."""
        if self.name == relation.name and _within(self.version, relation):
            return True
        return any(
            provided.name == relation.name and _within(provided.version, relation)
            for provided in self.provides
        )

    def locked(self) -> LockedDeb:
        """Return what the lock remembers of the package."""
        return LockedDeb(
            self.name, self.version, self.architecture, self.sha256, self.size_bytes, self.filename
        )


class Universe:
    """Every package that a suite's archives offer for one architecture.

    `indexes` are the bytes of `Packages` files. A stanza is parsed when it is first looked at;
    lookups may come from several threads.
    """

    def __init__(self, architecture: str, suite: str, indexes: Iterable[bytes]) -> None:
        self.architecture = architecture
        self.suite = suite
        self._stanzas: dict[str, list[bytes]] = {}
        self._providers: dict[str, set[str]] = {}
        self._parsed: dict[str, tuple[Deb, ...]] = {}
        for index in indexes:
            self._add(index)

    @property
    def names(self) -> Iterable[str]:
        """Return the names of all packages that are not merely virtual."""
        return self._stanzas.keys()

    def versions(self, name: str) -> tuple[Deb, ...]:
        """Return a package's versions, highest first; none where the name is unknown.

        Raises:
            ArtifactError: A stanza is malformed.
        """
        debs = self._parsed.get(name)
        if debs is None:
            # Of two threads that parse one name, both must return the same objects.
            debs = self._parsed.setdefault(name, self._parse(name))
        return debs

    def providers(self, name: str) -> tuple[str, ...]:
        """Return the names of the packages that provide `name` in some version, sorted."""
        return tuple(sorted(self._providers.get(name, ())))

    def _add(self, index: bytes) -> None:
        for stanza in index.split(b"\n\n"):
            if not stanza.startswith(_PACKAGE):
                stanza = stanza.lstrip(b"\n")  # noqa: PLW2901 - an archive may put two blank lines
                if not stanza.startswith(_PACKAGE):
                    continue
            end = stanza.find(b"\n")
            name = stanza[len(_PACKAGE) : end if end >= 0 else None].decode(errors="replace")
            self._stanzas.setdefault(name, []).append(stanza)
            start = stanza.find(_PROVIDES)
            if start >= 0:
                self._note_provides(name, stanza, start + len(_PROVIDES))

    def _note_provides(self, name: str, stanza: bytes, start: int) -> None:
        end = stanza.find(b"\n", start)
        text = stanza[start : end if end >= 0 else None].decode(errors="replace")
        for part in text.split(","):
            provided = part.partition("(")[0].partition(":")[0].strip()
            self._providers.setdefault(provided, set()).add(name)

    def _parse(self, name: str) -> tuple[Deb, ...]:
        # One version may stand in two suites; the first archive's stanza is as good as the rest.
        debs: dict[str, Deb] = {}
        for stanza in self._stanzas.get(name, ()):
            deb = _parse_deb(stanza, self.architecture)
            debs.setdefault(deb.version, deb)
        return tuple(sorted(debs.values(), key=lambda deb: version_key(deb.version), reverse=True))


def _parse_deb(stanza: bytes, architecture: str) -> Deb:
    fields = next(iter(parse_paragraphs(stanza.decode(errors="replace"))))
    try:
        version_key(fields["version"])  # refused here, where the package can be named
        return Deb(
            name=fields["package"],
            version=fields["version"],
            architecture=fields["architecture"],
            depends=parse_relations(fields.get("depends", ""), architecture),
            pre_depends=parse_relations(fields.get("pre-depends", ""), architecture),
            provides=_plain(fields, "provides", architecture),
            conflicts=_plain(fields, "conflicts", architecture),
            breaks=_plain(fields, "breaks", architecture),
            filename=fields["filename"],
            sha256=fields["sha256"],
            size_bytes=int(fields["size"]),
            priority=_priority(fields.get("priority", "")),
        )
    except KeyError as error:
        name = fields.get("package", "?")
        raise ArtifactError(f"Packages index: {name} has no field {error}", hint=_TELL) from error
    except ValueError as error:
        message = f"Packages index: {fields['package']}: {error}"
        raise ArtifactError(message, hint=_TELL) from error


def _plain(fields: Mapping[str, str], name: str, architecture: str) -> tuple[Relation, ...]:
    clauses = parse_relations(fields.get(name, ""), architecture)
    return tuple(relation for clause in clauses for relation in clause.alternatives)


def _priority(name: str) -> int:
    return _PRIORITIES.index(name) if name in _PRIORITIES else len(_PRIORITIES)


def _within(version: str, relation: Relation) -> bool:
    if not relation.operator:
        return True
    return bool(version) and satisfies(version, relation.operator, relation.version)
