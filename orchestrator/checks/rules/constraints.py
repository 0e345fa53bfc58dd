"""Rules about the constraints: one version of a package in every image."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.checks.dockerfile_steps import find_unconstrainable
from orchestrator.checks.finding import Finding, Severity
from orchestrator.checks.rule import rule
from orchestrator.checks.rules.requirements import place_of, region_of
from orchestrator.checks.specifiers import can_both_hold
from orchestrator.checks.subject import Subject
from orchestrator.resolve.inputs import broken_constraints
from orchestrator.resolve.python.requirements import RequirementLine


@rule("requirement-against-constraints", Severity.ERROR)
def requirement_against_constraints(subject: Subject) -> Iterator[Finding]:
    """An image asks for a version that the constraints rule out.

    `constraints.txt` says `openai==3.52.0` for the whole monorepo, and a service says
    `openai==3.40.0`. Nothing satisfies both: `orch lock` fails for all images, long after the
    line was written.

    ## What to do

    Take the version out of the service's line, and move it in the constraints if need be.

    ## Example

    ```text
    # constraints.txt
    openai==3.52.0

    # services/knowledge-api/requirements.txt
    openai==3.40.0   # requirement-against-constraints
    ```
    """
    said = _by_project(subject.constraints)
    for image in subject.images():
        for line in subject.requirements[image.name]:
            for constraint in said.get(line.name, ()):
                if _apart(line, constraint):
                    yield requirement_against_constraints.finding(
                        f"{line} and the constraint {constraint} ({constraint.where}) cannot both "
                        "hold",
                        "take the version out of the line, and move it in the constraints",
                        file=place_of(line)[0],
                        region=region_of(subject, line),
                        image=image.name,
                    )
    for fault in find_unconstrainable(subject):
        yield fault.of(requirement_against_constraints)


@rule("constraint-not-applied", Severity.ERROR)
def constraint_not_applied(subject: Subject) -> Iterator[Finding]:
    """The lock has a version that the constraints rule out.

    A constraint was moved and the lock was not: images are still built with the old version, and
    who reads `constraints.txt` believes otherwise.

    ## What to do

    Run `orch lock`, and commit the lock together with the constraints.

    ## Example

    ```text
    # constraints.txt
    numpy==2.4.6     # constraint-not-applied: orch.lock has numpy 2.3.0 in python-ml
    ```
    """
    if subject.lock is None or not subject.constraints:
        return
    for platform in subject.settings.platforms:
        found = broken_constraints(subject.workspace, subject.graph, subject.lock, platform)
        for line, name, wheel in found:
            yield constraint_not_applied.finding(
                f"{line} is not applied: orch.lock has {wheel.name} {wheel.version} in {name}",
                "run: orch lock",
                file=place_of(line)[0],
                region=region_of(subject, line),
                image=name,
            )


@rule("constraint-unused", Severity.NOTE)
def constraint_unused(subject: Subject) -> Iterator[Finding]:
    """A constraint is about a package that no image holds.

    Whoever moves it thinks of images that do not have the package. Often the package was renamed,
    or went away with the service that brought it. Where the requirements of a Dockerfile are not
    named in the settings, nobody knows what it holds, and nothing is reported.

    ## What to do

    Take the line out, or correct the name.

    ## Example

    ```text
    # constraints.txt
    beautifulsoup==4.13.0    # constraint-unused: the package is called beautifulsoup4
    ```
    """
    images = subject.graph.images.values()
    if subject.lock is None or not all(image.is_locked for image in images):
        return
    held = {wheel.name for adds in subject.lock.images.values() for wheel in adds.wheels}
    held |= {item.name for build in subject.lock.builds for item in build.requires}
    held |= {line.name for lines in subject.requirements.values() for line in lines}
    for line in subject.constraints:
        if line.name not in held:
            yield constraint_unused.finding(
                f"no image holds {line.requirement.name}",
                "take the line out",
                file=place_of(line)[0],
                region=region_of(subject, line),
            )


@rule("pins-differ", Severity.WARNING)
def pins_differ(subject: Subject) -> Iterator[Finding]:
    """Images pin a package to different versions.

    Two services pin httpx with `==`, each to another version, and the constraints say nothing.
    Both work, until code that they share meets the other version; and every layer that could be
    shared is there twice.

    ## What to do

    Write one version into `constraints.txt`, and the plain name into the requirements.

    ## Example

    ```text
    # services/discord/requirements.txt
    httpx==0.28.1

    # services/webhook/requirements.txt
    httpx==0.27.2    # pins-differ
    ```
    """
    pinned: dict[str, RequirementLine] = {}
    said = _by_project(subject.constraints)
    for name, lines in subject.requirements.items():
        for line in lines:
            if line.name in said or not _pin(line) or line.requirement.marker:
                continue
            first = pinned.setdefault(line.name, line)
            if _pin(first) != _pin(line) and place_of(first)[0] != place_of(line)[0]:
                yield pins_differ.finding(
                    f"{line} here, and {first} at {first.where}",
                    "write one version into the constraints, and plain names here",
                    file=place_of(line)[0],
                    region=region_of(subject, line),
                    image=name,
                )


def _by_project(lines: tuple[RequirementLine, ...]) -> dict[str, list[RequirementLine]]:
    found: dict[str, list[RequirementLine]] = {}
    for line in lines:
        found.setdefault(line.name, []).append(line)
    return found


def _apart(line: RequirementLine, constraint: RequirementLine) -> bool:
    """Tell whether no version satisfies both; lines with markers may be about other platforms."""
    if line.requirement.marker or constraint.requirement.marker:
        return False
    return not can_both_hold(line.requirement.specifier, constraint.requirement.specifier)


def _pin(line: RequirementLine) -> str:
    pins = [item.version for item in line.requirement.specifier if item.operator in {"==", "==="}]
    return pins[0] if len(pins) == 1 and not pins[0].endswith("*") else ""
