"""Rules about what images ask for of Python beyond what they stand on."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.checks.finding import Edit, Finding, Severity
from orchestrator.checks.rule import rule
from orchestrator.checks.subject import Subject
from orchestrator.model import Image
from orchestrator.resolve.python.requirements import RequirementLine


def place_of(line: RequirementLine) -> tuple[str, int]:
    """Return the file and the line that a requirement stands on."""
    file, _, number = line.where.rpartition(":")
    return file, int(number)


@rule("requirement-in-base", Severity.ERROR)
def requirement_in_base(subject: Subject) -> Iterator[Finding]:
    """An image asks for a package that a base of it asks for already.

    A service lists fastapi though its base brings it. As long as both say the same, the line does
    nothing; once they differ, the service needs another version than all others, and the package
    is installed twice or cannot be locked. What a base brings, it brings for everyone.

    ## What to do

    Remove the line: `orch check --fix` does. If the service needs an extra, ask for the extra
    alone (`uvicorn[standard]`); if it needs another version, move it in `constraints.txt`.

    ## Example

    ```text
    # base/python-base/requirements.txt
    fastapi

    # services/discord/requirements.txt
    fastapi          # requirement-in-base
    discord.py
    ```
    """
    for image in subject.images():
        below = _asked_below(subject, image)
        for line in subject.requirements[image.name]:
            base, theirs = below.get(line.name, ("", None))
            if theirs is None or line.requirement.extras - theirs.requirement.extras:
                continue
            file, number = place_of(line)
            yield Finding(
                "requirement-in-base",
                Severity.ERROR,
                f"{line.requirement.name} is brought by {base} already ({theirs.where})",
                "remove the line; a version is moved in the constraints, for every image",
                file,
                subject.sources.region(file, number, line.requirement.name),
                image.name,
                (Edit(file, number, number),),
            )


def _asked_below(subject: Subject, image: Image) -> dict[str, tuple[str, RequirementLine]]:
    """Return what the images below one ask for, by project: the image and its line."""
    found: dict[str, tuple[str, RequirementLine]] = {}
    for below in subject.graph.chain(image.name)[:-1]:
        for line in subject.requirements[below.name]:
            found.setdefault(line.name, (below.name, line))
    return found
