"""Rules about what images ask for of Python beyond what they stand on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from orchestrator.checks.finding import Edit, Finding, Region, Severity
from orchestrator.checks.rule import rule
from orchestrator.checks.specifiers import can_both_hold
from orchestrator.checks.subject import Subject
from orchestrator.model import Image
from orchestrator.resolve.python.requirements import RequirementLine


def place_of(line: RequirementLine) -> tuple[str, int]:
    """Return the file and the line that a requirement stands on."""
    file, _, number = line.where.rpartition(":")
    return file, int(number)


def region_of(subject: Subject, line: RequirementLine) -> Region | None:
    """Return the place of the project's name in a requirement."""
    file, number = place_of(line)
    return subject.sources.region(file, number, line.requirement.name)


@rule("requirement-in-base", Severity.ERROR)
def requirement_in_base(subject: Subject) -> Iterator[Finding]:
    """An image asks for a package that a base of it asks for already.

    A service lists fastapi though its base brings it. As long as both say the same, the line does
    nothing. Once they differ, that one service needs another version than all others, and nobody
    sees why the lock cannot be resolved. What a base brings, it brings for everyone.

    ## What to do

    Remove the line: `orch check --fix` does. If the service needs an extra of the package, ask for
    it (`uvicorn[standard]`): that is not reported. If it needs another version, move the version
    in `constraints.txt`, for every image.

    Of a Dockerfile the files count that settings name, or that it surely installs: copied or
    mounted from the context by name, and given to `pip install -r`.

    ## Example

    ```text
    # base/python-base/requirements.txt
    fastapi

    # services/discord/requirements.txt
    fastapi          # requirement-in-base
    discord.py
    ```
    """
    for image, line, below in _asked_again(subject):
        if below.rules_out(line) or line.requirement.extras - below.line.requirement.extras:
            continue
        yield requirement_in_base.finding(
            f"{line.requirement.name} is brought by {below.image.name} already "
            f"({below.line.where})",
            "remove the line; a version is moved in the constraints, for every image",
            file=place_of(line)[0],
            region=region_of(subject, line),
            image=image.name,
            fix=remove(subject, image, line),
        )


@rule("requirement-contradicts-base", Severity.ERROR)
def requirement_contradicts_base(subject: Subject) -> Iterator[Finding]:
    """An image asks for a version that its base rules out.

    A service asks for `numpy<2`, and its base has numpy 2.4. A layer cannot take away what lies
    below it: either the lock cannot be resolved, or two versions lie in one image and which one is
    imported is chance. The base's version counts as it is locked; before there is a lock, what
    base and service ask for is compared.

    ## What to do

    Move the version for all, in `constraints.txt` or the base's requirements; or let the service
    stand on a base that does not have the package.

    ## Example

    ```text
    # base/python-ml/requirements.txt
    numpy>=2

    # services/stt/requirements.txt
    numpy<2          # requirement-contradicts-base
    ```
    """
    for image, line, held in _held_below(subject):
        if not line.allows(held.version):
            yield requirement_contradicts_base.finding(
                f"{line} rules out {held.name} {held.version}, which {held.image} holds",
                "move the version for all images in the constraints, or stand on another base",
                file=place_of(line)[0],
                region=region_of(subject, line),
                image=image.name,
            )
    for image, line, below in _asked_again(subject):
        if not below.is_locked and below.rules_out(line):
            yield requirement_contradicts_base.finding(
                f"{line} and {below.line} of {below.image.name} ({below.line.where}) cannot both "
                "hold",
                "move the version for all images in the constraints, or stand on another base",
                file=place_of(line)[0],
                region=region_of(subject, line),
                image=image.name,
            )


@rule("requirement-twice", Severity.WARNING)
def requirement_twice(subject: Subject) -> Iterator[Finding]:
    """An image asks for a package twice.

    The second line does nothing, or the two contradict each other and who reads the first does
    not know.

    ## What to do

    Keep one. Lines that say the same are joined by `orch check --fix`. Lines with different
    markers are not reported.

    ## Example

    ```text
    httpx
    httpx>=0.27      # requirement-twice
    ```
    """
    for image in subject.images():
        seen: dict[tuple[str, str], RequirementLine] = {}
        for line in subject.requirements[image.name]:
            key = (line.name, str(line.requirement.marker))
            first = seen.setdefault(key, line)
            if first is line:
                continue
            is_same = str(first) == str(line) and first.where != line.where
            yield requirement_twice.finding(
                f"{line.requirement.name} is asked for twice, first at {first.where}",
                "keep one of the lines",
                file=place_of(line)[0],
                region=region_of(subject, line),
                image=image.name,
                fix=remove(subject, image, line) if is_same else (),
            )


def remove(subject: Subject, image: Image, line: RequirementLine) -> tuple[Edit, ...]:
    """Return what takes a line out of a file that belongs to one image alone; else nothing."""
    file, number = place_of(line)
    own = {(image.path / name).as_posix() for name in image.recipe.requirements}
    if file not in own or subject.readers(line) != {image.name}:
        return ()
    lines, end = subject.sources.lines(file), number
    while end < len(lines) and lines[end - 1].endswith("\\"):
        end += 1
    return (Edit(file, number, end),)


@dataclass(frozen=True, slots=True)
class _Below:
    """A line of an image below; `versions` are what that image has locked of the project."""

    image: Image
    line: RequirementLine
    versions: tuple[str, ...]

    @property
    def is_locked(self) -> bool:
        return bool(self.versions)

    def rules_out(self, line: RequirementLine) -> bool:
        """Tell whether what is below cannot be what another line asks for."""
        if self.versions:
            return not all(line.allows(version) for version in self.versions)
        return not can_both_hold(line.requirement.specifier, self.line.requirement.specifier)


def _asked_again(subject: Subject) -> Iterator[tuple[Image, RequirementLine, _Below]]:
    """Yield each line about a project that an image below asks for, and the nearest line there."""
    for image in subject.images():
        lines = subject.requirements[image.name]
        if not lines:
            continue
        below: dict[str, _Below] = {}
        for other in _whose_packages_it_has(subject, image):
            held: dict[str, tuple[str, ...]] = {}
            for wheel in subject.wheels(other):
                held[wheel.name] = (*held.get(wheel.name, ()), wheel.version)
            for line in subject.requirements[other.name]:
                below.setdefault(line.name, _Below(other, line, held.get(line.name, ())))
        for line in lines:
            if line.name in below:
                yield image, line, below[line.name]


@dataclass(frozen=True, slots=True)
class _Held:
    image: str
    name: str
    version: str


def _held_below(subject: Subject) -> Iterator[tuple[Image, RequirementLine, _Held]]:
    """Yield each line about a project that the lock has an image below hold."""
    for image in subject.images():
        lines: dict[str, list[RequirementLine]] = {}
        for line in subject.requirements[image.name]:
            lines.setdefault(line.name, []).append(line)
        for other in _whose_packages_it_has(subject, image) if lines else ():
            for wheel in subject.wheels(other):
                for line in lines.get(wheel.name, ()):
                    yield image, line, _Held(other.name, wheel.name, wheel.version)


def _whose_packages_it_has(subject: Subject, image: Image) -> Iterable[Image]:
    """Return the images below whose packages an image has, the nearest first.

    What is locked is locked with the packages of its chain alone. What a Dockerfile installs on its
    own finds whatever lies below.
    """
    if image.build is not None and image.build.settings.requirements is None:
        return subject.below(image)
    return reversed(subject.graph.chain(image.name)[:-1])
