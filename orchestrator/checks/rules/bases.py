"""Rules about what images stand on."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.checks.finding import Finding, Region, Severity
from orchestrator.checks.rule import rule
from orchestrator.checks.subject import Subject
from orchestrator.externals import find_externals
from orchestrator.model import Image, ImageKind


@rule("unused-base", Severity.WARNING)
def unused_base(subject: Subject) -> Iterator[Finding]:
    """No image stands on a base.

    It is built, scanned and pushed every night, and nobody uses it. Often the last service that
    stood on it moved away long ago.

    ## What to do

    Remove its folder. A base that somebody uses as it is, or from another repository, is excepted
    with that reason.

    ## Example

    ```toml
    # base/tools/image.toml
    # orch: ignore[unused-base] CI runs it as it is
    from = "python-base"
    ```
    """
    for image in subject.images():
        if image.kind is ImageKind.BASE and not subject.graph.dependents[image.name]:
            deprecated = ", and it is deprecated" if image.recipe.deprecated else ""
            yield unused_base.finding(
                f"no image stands on it{deprecated}",
                f"remove {image.path}, or say who uses it: # orch: ignore[unused-base] REASON",
                file=str(image.file),
                region=from_region(subject, image),
                image=image.name,
            )


@rule("deprecated-base", Severity.WARNING)
def deprecated_base(subject: Subject) -> Iterator[Finding]:
    """An image stands on a base that is deprecated.

    Whoever marked it said what to use instead. As long as an image stands on it, it has to be
    kept, built and patched.

    ## What to do

    Stand on what the message names, in `from` or FROM.

    ## Example

    ```toml
    # base/python-audio/image.toml
    deprecated = "use python-web"

    # services/discord/image.toml
    from = "python-audio"       # deprecated-base
    ```
    """
    for image in subject.images():
        for name in subject.graph.parents[image.name]:
            says = subject.graph.images[name].recipe.deprecated
            if says and not image.recipe.deprecated:
                yield deprecated_base.finding(
                    f"{name} is deprecated",
                    says,
                    file=str(image.file),
                    region=reference_region(subject, image, name),
                    image=image.name,
                )


@rule("base-not-pinned", Severity.WARNING)
def base_not_pinned(subject: Subject) -> Iterator[Finding]:
    """An image stands on an external image by tag, and the lock has no digest for it.

    A tag is moved by its owner: the same commit builds another image tomorrow, and a fault that
    came with it cannot be told from one of our own. `orch lock` pins the digest of each external
    image that recipes and Dockerfiles name, and moves it with `--upgrade-bases`.

    ## What to do

    Run `orch lock` on a machine that reaches the image's registry, and commit `orch.lock`; or
    write the digest behind the reference, `NAME:TAG@sha256:...`.

    ## Example

    ```toml
    from = "docker.io/library/python:3.11-slim"     # base-not-pinned, until orch lock has run
    ```
    """
    locked = subject.lock.externals if subject.lock else ()
    digests = {row.reference for row in locked if row.digest}
    for external in find_externals(subject.graph):
        if external.reference not in digests:
            for name in external.images:
                image = subject.graph.images[name]
                yield base_not_pinned.finding(
                    f"{external.reference} is named by its tag, and orch.lock has no digest of it",
                    "run: orch lock, or write the digest behind it",
                    file=str(image.file),
                    region=reference_region(subject, image, external.reference),
                    image=name,
                )


def from_region(subject: Subject, image: Image, word: str = "") -> Region | None:
    """Return the place where an image says what it stands on, or of a word there."""
    return subject.sources.region(str(image.file), image.recipe.parent_line, word or image.parent)


def reference_region(subject: Subject, image: Image, reference: str) -> Region | None:
    """Return the place where an image names another, by its name or all of its reference."""
    if image.build is None:
        return from_region(subject, image, reference)
    lines = (item.line for item in image.build.uses.references if reference in item.name)
    return subject.sources.region(str(image.file), next(lines, None), reference)
