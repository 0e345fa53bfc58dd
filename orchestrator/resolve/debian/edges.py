"""Which of the Debian packages that an image holds needs which other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orchestrator.resolve.debian.deb822 import parse_paragraphs
from orchestrator.resolve.debian.packages import Deb
from orchestrator.resolve.debian.relations import Clause, parse_relations
from orchestrator.resolve.edges import Edges, Need


def parse_control(text: str, architecture: str) -> Deb:
    """Read the relations of a package's own `control` file, for one architecture, `amd64`.

    Raises:
        ValueError: A relation is malformed, or a field is missing.
    """
    try:
        fields = next(iter(parse_paragraphs(text)))
        provides = parse_relations(fields.get("provides", ""), architecture)
        return Deb(
            name=fields["package"],
            version=fields["version"],
            architecture=fields["architecture"],
            depends=parse_relations(fields.get("depends", ""), architecture),
            pre_depends=parse_relations(fields.get("pre-depends", ""), architecture),
            provides=tuple(relation for clause in provides for relation in clause.alternatives),
        )
    except (KeyError, StopIteration) as error:
        raise ValueError(f"control file without {error}") from error


def edges_among(debs: Iterable[Deb]) -> Edges:
    """Return what each package needs of the others, with the clause that asks for it.

    Of a clause's alternatives those count that are there; what a maintainer script alone would
    need, and so is not there, does not.
    """
    present = {deb.name: deb for deb in debs}
    providers: dict[str, set[str]] = {name: {name} for name in present}
    for deb in present.values():
        for relation in deb.provides:
            providers.setdefault(relation.name, set()).add(deb.name)
    return {
        name: tuple(
            sorted(
                Need(other, str(clause))
                for clause in {*deb.pre_depends, *deb.depends}
                for other in _met_by(clause, providers, present)
                if other != name
            )
        )
        for name, deb in present.items()
    }


def _met_by(
    clause: Clause, providers: Mapping[str, set[str]], present: Mapping[str, Deb]
) -> set[str]:
    return {
        name
        for relation in clause.alternatives
        for name in providers.get(relation.name, ())
        if present[name].matches(relation)
    }
