"""Faults in what Dockerfiles say of the container: its user, its health check, secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator

from orchestrator.checks.dockerfiles import DockerfileView, Fault, dockerfile_views
from orchestrator.checks.finding import Region
from orchestrator.checks.secrets import find_secrets, secret_of_variable
from orchestrator.checks.subject import Subject
from orchestrator.dockerfile.instructions import Instruction, split_words
from orchestrator.model import Image, ImageKind

_ROOT = frozenset({"0", "root"})
_ROOTLESS = re.compile("non-?root|rootless|unprivileged")
_NOTHING = frozenset({*_ROOT, "none"})
_WITH_VALUES = frozenset({"ARG", "ENV", "LABEL"})


def find_root_users(subject: Subject) -> Iterator[Fault]:
    """Yield the services whose Dockerfile has them run as root."""
    hint = "end with a user by number: USER 1000"
    for view in _services(subject):
        user = _last(view, "USER")
        if user is None:
            if not _handed_down(subject, view, "USER") and not _is_rootless(subject, view.image):
                yield view.fault("no USER is set, so it runs as root", hint, _end(view))
        elif user.rest.strip("\"'").partition(":")[0] in _ROOT:
            yield view.fault(f"USER is {user.rest}", hint, view.region(user, user.rest))


def find_missing_healthchecks(subject: Subject) -> Iterator[Fault]:
    """Yield the services whose Dockerfile has no HEALTHCHECK, nor one that they stand on."""
    hint = "add: HEALTHCHECK CMD ..., which asks the service itself"
    for view in _services(subject):
        check = _last(view, "HEALTHCHECK")
        if check is not None and check.rest.strip().upper() == "NONE":
            yield view.fault("HEALTHCHECK NONE leaves it unwatched", hint, view.region(check))
        elif check is None and not _handed_down(subject, view, "HEALTHCHECK"):
            yield view.fault("it has no HEALTHCHECK", hint, _end(view))


def find_written_secrets(subject: Subject) -> Iterator[Fault]:
    """Yield what looks like a secret in ENV, ARG, LABEL and RUN, of all stages."""
    for view in dockerfile_views(subject):
        stages = (one for stage in view.dockerfile.stages for one in stage.instructions)
        for instruction in (*view.dockerfile.arguments, *stages):
            if instruction.name in _WITH_VALUES:
                yield from _secret_values(view, instruction)
            elif instruction.name == "RUN":
                yield from _secret_words(view, instruction)


def _secret_values(view: DockerfileView, instruction: Instruction) -> Iterator[Fault]:
    hint = "take it out and revoke it; a build gets secrets by RUN --mount=type=secret"
    words = split_words(instruction.rest, view.dockerfile.escape)
    if words and "=" not in words[0] and instruction.name != "ARG":
        words = [f"{words[0]}={' '.join(words[1:])}"]  # the old form, one name and one value
    for word in words:
        name, _, value = word.partition("=")
        name = name.strip("\"'")
        if found := secret_of_variable(name, value.strip("\"'")):
            message = f"{instruction.name} {name} looks like a secret ({found.kind})"
            yield view.fault(message, hint, view.region(instruction, name))


def _secret_words(view: DockerfileView, instruction: Instruction) -> Iterator[Fault]:
    hint = "take it out and revoke it; a build gets secrets by RUN --mount=type=secret"
    for number, line in view.lines(instruction):
        for found in find_secrets(line):
            yield view.fault(
                f"RUN has what looks like a secret ({found.kind})", hint, Region(number)
            )


def _services(subject: Subject) -> Iterator[DockerfileView]:
    return (view for view in dockerfile_views(subject) if view.image.kind is ImageKind.SERVICE)


def _handed_down(subject: Subject, view: DockerfileView, name: str) -> bool:
    """Tell whether a sibling below says so: by an instruction, or as a recipe."""
    for image in subject.below(view.image):
        if dockerfile := subject.dockerfile(image):
            said = _last(DockerfileView(subject, image, dockerfile), name)
            if said is not None:
                return said.rest.strip("\"'").partition(":")[0].upper() not in {
                    *_ROOT,
                    "ROOT",
                    "NONE",
                }
        elif image.recipe.config.user if name == "USER" else image.recipe.healthcheck:
            return True
    return False


def _is_rootless(subject: Subject, image: Image) -> bool:
    """Tell whether the external image below all says by its name that it does not run as root."""
    lowest = [image, *subject.below(image)][-1]
    return _ROOTLESS.search(lowest.parent) is not None


def _last(view: DockerfileView, name: str) -> Instruction | None:
    return next(iter(reversed(list(view.instructions(name)))), None)


def _end(view: DockerfileView) -> Region:
    """Return where the final stage begins: what is missing has no line."""
    return Region(view.stages[-1].line)
