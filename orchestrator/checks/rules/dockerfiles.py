"""Rules about Dockerfiles alone; what is told of recipes too stands with the rules about those."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from orchestrator.checks.commands import commands_of
from orchestrator.checks.dockerfile_steps import find_caches, find_unconstrained
from orchestrator.checks.dockerfiles import DockerfileView, dockerfile_views
from orchestrator.checks.finding import Finding, Severity
from orchestrator.checks.rule import rule
from orchestrator.checks.rules.bases import reference_region
from orchestrator.checks.subject import Subject
from orchestrator.dockerfile.instructions import Instruction
from orchestrator.dockerfile.stages import Stage
from orchestrator.externals import find_externals
from orchestrator.siblings import without_tag

_ADDRESS = re.compile(r"https?://(?!\S*\.git(?:#|$))")


@rule("latest-in-from", Severity.WARNING)
def latest_in_from(subject: Subject) -> Iterator[Finding]:
    """An image stands on whatever `latest` of another is at the moment.

    A reference without a tag means `latest` as well. Nobody can say what the image was built from,
    and the next major version arrives on the day its owner likes. What stands on an image of this
    workspace is always the one just built, whatever its tag.

    ## What to do

    Name a version. `orch lock` pins the digest behind it.

    ## Example

    ```dockerfile
    FROM python          # latest-in-from; write python:3.11-slim-bookworm
    ```
    """
    for external in find_externals(subject.graph):
        tag = external.reference[len(without_tag(external.reference)) + 1 :]
        for name in external.images if tag in {"", "latest"} else ():
            image = subject.graph.images[name]
            yield latest_in_from.finding(
                f"{external.reference} is whatever latest is at the moment",
                "name a version",
                file=str(image.file),
                region=reference_region(subject, image, external.reference),
                image=name,
            )


@rule("cache-in-image", Severity.WARNING)
def cache_in_image(subject: Subject) -> Iterator[Finding]:
    """A layer keeps what was downloaded to install packages.

    `apt-get update` leaves 20 MB of lists, pip a copy of every wheel. A later RUN that removes them
    makes nothing smaller: the layer before has them still. Stages that are only copied from may
    keep what they like.

    ## What to do

    Remove the lists in the RUN that fetched them; give pip `--no-cache-dir`. Or mount a cache,
    which is no part of the layer and makes the next build faster.

    ## Example

    ```dockerfile
    RUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*
    RUN pip install --no-cache-dir -r requirements.txt
    ```
    """
    for fault in find_caches(subject):
        yield fault.of(cache_in_image)


@rule("install-without-constraints", Severity.WARNING)
def install_without_constraints(subject: Subject) -> Iterator[Finding]:
    """A Dockerfile installs Python packages without the constraints of the workspace.

    The workspace pins versions for all its images, and this one installs what is newest on the day
    it is built. The service then runs with another version than its tests did. Fine are `-c`, the
    variable PIP_CONSTRAINT, hashes, and wheels that were chosen before (`--no-index`, `--no-deps`).

    ## What to do

    Copy the file into the stage and give it to pip.

    ## Example

    ```dockerfile
    COPY constraints.txt requirements.txt /tmp/
    RUN pip install -r /tmp/requirements.txt -c /tmp/constraints.txt
    ```
    """
    for fault in find_unconstrained(subject):
        yield fault.of(install_without_constraints)


@rule("copied-before-requirements", Severity.WARNING)
def copied_before_requirements(subject: Subject) -> Iterator[Finding]:
    """The application is copied before its requirements are installed.

    Each step of a Dockerfile is made anew when one before it changed. So each edit of the program
    installs all packages again, which takes minutes in the place of a second.

    ## What to do

    Copy the requirements, install them, and copy the application after that.

    ## Example

    ```dockerfile
    COPY . /app                                # copied-before-requirements
    RUN pip install -r /app/requirements.txt
    ```
    """
    for view in dockerfile_views(subject):
        for stage in view.stages:
            for copy, source in _copied_too_early(view, stage):
                yield copied_before_requirements.finding(
                    f"{source} is copied before the requirements are installed",
                    "copy the requirements alone, install them, then copy the rest",
                    file=view.file,
                    region=view.region(copy, source),
                    image=view.image.name,
                )


@rule("unverified-download", Severity.WARNING)
def unverified_download(subject: Subject) -> Iterator[Finding]:
    """A Dockerfile adds a file from the network without its checksum.

    What the server sends on the day of the build becomes part of the image, whoever put it there.

    ## What to do

    Give the checksum to ADD, which then refuses anything else.

    ## Example

    ```dockerfile
    ADD --checksum=sha256:24454f83... https://example.com/model.bin /models/
    ```
    """
    for view in dockerfile_views(subject):
        for add in view.instructions("ADD"):
            for word in add.words(view.dockerfile.escape)[:-1]:
                if _ADDRESS.match(word.strip("\"'")) and not add.flag("checksum"):
                    yield unverified_download.finding(
                        "what is downloaded here is not verified",
                        "add --checksum=sha256:DIGEST",
                        file=view.file,
                        region=view.region(add, word),
                        image=view.image.name,
                    )


def _copied_too_early(view: DockerfileView, stage: Stage) -> Iterator[tuple[Instruction, str]]:
    """Yield the copies of source code before the first installation of requirements."""
    copies: list[tuple[Instruction, str]] = []
    for instruction in stage.instructions:
        if instruction.name in {"COPY", "ADD"} and not instruction.flag("from"):
            words = instruction.words(view.dockerfile.escape)[:-1]
            copies += [(instruction, word) for word in words if _is_code(view, word)]
        elif instruction.name == "RUN" and _installs_requirements(view, instruction):
            yield from copies
            return


def _installs_requirements(view: DockerfileView, run: Instruction) -> bool:
    """Tell whether a RUN installs a file of requirements, and no project from its source."""
    for command in commands_of(view, run):
        texts = [word.text for word in command.pip_arguments or ()]
        has_file = any(text.startswith(("-r", "--requirement")) for text in texts)
        if has_file and not any(text in {".", "-e", "--editable"} for text in texts):
            return True
    return False


def _is_code(view: DockerfileView, source: str) -> bool:
    """Tell whether a source is the whole context, or a folder of it with code."""
    path = posixpath.normpath(source.strip("\"'").lstrip("/") or ".")
    if path in {".", "*"}:
        return True
    if any(mark in path for mark in "$*?[") or path.startswith(".."):
        return False
    inside = posixpath.normpath(posixpath.join(str(view.image.path), path)) + "/"
    inside = "" if inside == "./" else inside
    return any(file.startswith(inside) for file in view.subject.sources.paths(".py"))
