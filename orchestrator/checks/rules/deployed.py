"""Rules about the images that deployment files name."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.checks.finding import Finding, Region, Severity
from orchestrator.checks.rule import FunctionRule, rule
from orchestrator.checks.subject import Subject
from orchestrator.deployments import ImageUse
from orchestrator.deployments.names import is_placeholder, with_defaults
from orchestrator.deployments.values import Form, Part, Span
from orchestrator.siblings import SiblingNames, without_tag


@dataclass(frozen=True, slots=True)
class _Named:
    """An image as a file names it: variables with defaults put in, and the sibling it means."""

    use: ImageUse
    reference: str
    sibling: str
    prefix: str

    @property
    def is_open(self) -> bool:
        """Tell whether a variable decides what is named."""
        return "$" in self.reference

    @property
    def repository(self) -> str:
        """Return the reference without tag and digest."""
        return without_tag(self.reference.partition("@")[0])

    def found(
        self, by: FunctionRule, message: str, hint: str, severity: Severity | None = None
    ) -> Finding:
        """Return a finding of a rule where the image is named."""
        place, file, image = region_of(self.use.span), self.use.file, self.sibling
        return by.finding(message, hint, file=file, region=place, image=image, severity=severity)


def region_of(span: Span) -> Region:
    """Return a span as a place in a file; one that goes on is marked on its first line."""
    return Region(span.line, span.column, span.column + span.end - span.start)


def named_images(subject: Subject) -> Iterator[_Named]:
    """Yield the images that deployment files name."""
    names = SiblingNames(subject.workspace)
    given = (subject.settings.registry, *subject.settings.aliases)
    prefixes = [f"{prefix.rstrip('/')}/" for prefix in given if prefix]
    for file in subject.deployments():
        for use in file.uses:
            reference = with_defaults(use.reference)
            sibling = names.find(reference.partition("@")[0], by="") or ""
            prefix = next((one for one in prefixes if reference.startswith(one)), "")
            yield _Named(use, reference, sibling, prefix)


@rule("deployed-placeholder", Severity.ERROR)
def deployed_placeholder(subject: Subject) -> Iterator[Finding]:
    """A deployment file names a placeholder in place of an image.

    `PLACEHOLDER/api:latest` was to be replaced by whoever deploys, and one day nobody did: the
    cluster waits for an image that does not exist. A placeholder that a kustomization of the
    workspace replaces is none of these.

    ## What to do

    Name the image as it is published. `orch deploy` does where the last part of the name is that of
    an image: `PLACEHOLDER/api`.

    ## Example

    ```yaml
    containers:
      - name: api
        image: PLACEHOLDER/api:latest   # registry.example.com/team/api:1.4
    ```
    """
    found = list(named_images(subject))
    replaced = {named.use.replaces for named in found if named.use.replaces}
    for named in found:
        is_filled = named.repository in replaced and named.use.form is not Form.KUSTOMIZE
        if named.prefix or named.sibling or is_filled or not is_placeholder(named.reference):
            continue
        last = named.repository.rpartition("/")[2]
        yield named.found(
            deployed_placeholder,
            f"{named.use.reference} is a placeholder, no image",
            f"orch deploy {named.use.file} puts the image as it is published here"
            if last in subject.graph.images
            else "name the image as it is published",
        )


@rule("deployed-unknown-image", Severity.ERROR)
def deployed_unknown_image(subject: Subject) -> Iterator[Finding]:
    """A deployment file names an image of this workspace that does not exist.

    The image was renamed or removed, and a manifest still asks for it. What the registry has of it
    is never built anew, until a lifecycle rule expires it and the next restart finds nothing. An
    image counts as of this workspace when it stands behind `registry` or one of `aliases`; where
    these are a host alone, the finding is a warning.

    ## What to do

    Name the image that took its place, or remove what runs it.

    ## Example

    ```yaml
    image: registry.example.com/team/knowlege-api:1.4   # knowledge-api
    ```
    """
    for named in named_images(subject):
        rest = named.repository.removeprefix(named.prefix)
        if not named.prefix or named.sibling or named.use.built or "$" in rest:
            continue
        near = difflib.get_close_matches(rest, subject.graph.images, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else "orch graph shows the images there are"
        is_shared = "/" not in named.prefix.rstrip("/")
        yield named.found(
            deployed_unknown_image,
            f"{named.use.resource} runs {rest}, and this workspace has no such image",
            hint,
            Severity.WARNING if is_shared else None,
        )


@rule("deployed-latest", Severity.WARNING)
def deployed_latest(subject: Subject) -> Iterator[Finding]:
    """A deployment file runs whatever `latest` is at the moment.

    Two replicas of one deployment may run different code, and a rollback rolls back nothing. An
    image without a tag is `latest` too. Images of this workspace are the business of
    `deployed-by-tag`.

    ## What to do

    Name a version, or better its digest.

    ## Example

    ```yaml
    image: redis          # redis:7.4@sha256:...
    ```
    """
    for named in named_images(subject):
        if named.sibling or named.prefix or named.is_open or named.use.built:
            continue
        if is_placeholder(named.reference):
            continue  # whatever stands behind it
        if named.use.form in {Form.HELM, Form.KUSTOMIZE} and not named.use.part(Part.REFERENCE):
            tag = named.use.part(Part.TAG)
            is_latest = tag is not None and tag.text == "latest"
        else:
            is_latest = _tag_of(named) in {"", "latest"}
        if is_latest and "@" not in named.reference:
            message = f"{named.use.reference} is whatever latest is at the moment"
            hint = "name a version, or a digest"
            yield named.found(deployed_latest, message, hint)


@rule("deployed-by-tag", Severity.NOTE)
def deployed_by_tag(subject: Subject) -> Iterator[Finding]:
    """A deployment file names an image by tag whose digest is known.

    A tag can be moved after the manifest was reviewed. The digest of what was pushed is known, read
    back from the registry: a manifest that names it runs exactly what was built and verified. So
    is that of an external image which `orch.lock` pins, since something is built on it.

    ## What to do

    Let `orch deploy` write the digest of an image of this workspace behind the tag:
    `repository:tag@sha256:...`. Copy that of another from `orch.lock`.

    ## Example

    ```yaml
    image: registry.example.com/team/api:1.4   # registry.example.com/team/api:1.4@sha256:...
    ```
    """
    locked = {one.reference: one.digest for one in subject.lock.externals} if subject.lock else {}
    for named in named_images(subject):
        digest = locked.get(named.reference)
        if "@" in named.reference or named.use.built or not (named.sibling or digest):
            continue
        yield named.found(
            deployed_by_tag,
            f"{named.use.reference} is named by tag, which can be moved",
            f"orch deploy {named.use.file} writes its digest behind it"
            if named.sibling
            else f"orch.lock has its digest: write @{digest} behind it",
        )


def _tag_of(named: _Named) -> str:
    return named.reference.partition("@")[0][len(named.repository) + 1 :]


@rule("deployment-unreadable", Severity.NOTE)
def deployment_unreadable(subject: Subject) -> Iterator[Finding]:
    """A file that may name images could not be read.

    It is a template, or no YAML: what it deploys was not checked. Of a chart the values are read,
    not the templates.

    ## What to do

    Nothing, where the file is a template. Otherwise put right what the message says, or leave the
    file out with `deployments` of the settings.

    ## Example

    ```yaml
    image: {{ .Values.image }}
    ```
    """
    for file in subject.deployments():
        for note in file.notes:
            hint = "deployments in the settings says which files count"
            place = Region(note.line)
            yield deployment_unreadable.finding(note.text, hint, file=file.path, region=place)
