"""Where an image is from: in-toto statements with the provenance of SLSA."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator import __version__
from orchestrator.attest.artifacts import PREDICATE_TYPE
from orchestrator.attest.bill import Bill
from orchestrator.model import Platform
from orchestrator.oci.image import canonical_json

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
BUILD_TYPE = "urn:orch:build:1"
INDEX_BUILD_TYPE = "urn:orch:index:1"
BUILDER = "urn:orch:builder"


@dataclass(frozen=True, slots=True)
class Source:
    """The commit that was built, and whether files differed from it; `uri` may be empty."""

    commit: str = ""
    is_dirty: bool = False
    uri: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """How an image came to be, beside what it consists of.

    `subject` is what the image is published as, without a host. Of build arguments there are
    digests, never values. `parents` are digests of the sibling images it is made from.
    """

    subject: str
    definition: str
    file: str
    fingerprint: str
    source: Source = Source()
    target: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)
    parents: Mapping[str, str] = field(default_factory=dict)
    builder: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """An image for one platform, as an index names it."""

    platform: Platform
    digest: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class IndexOrigin:
    """What an index of several platforms was put together from; else as in `Origin`."""

    subject: str
    image: str
    members: Sequence[Member]
    source: Source = Source()
    builder: str = ""


def make_provenance(bill: Bill, origin: Origin) -> bytes:
    """Return an unsigned statement; equal origins give equal bytes.

    No time is told: none is known of an image that was made at some other time, or elsewhere.

    Source: in-toto attestation framework, Statement v1; SLSA, Provenance v1.
    """
    definition = {
        "buildType": BUILD_TYPE,
        "externalParameters": _parameters(bill, origin),
        "internalParameters": {"fingerprint": origin.fingerprint},
        "resolvedDependencies": [
            *_source(origin.source),
            *_images(bill, origin),
            *_packages(bill),
        ],
    }
    return _statement(origin.subject, bill.digest, definition, origin.builder)


def make_index_provenance(digest: str, origin: IndexOrigin) -> bytes:
    """Return an unsigned statement about an index; what its images are made of, theirs say.

    Source: as for `make_provenance`.
    """
    members = [{"name": one.platform.key, "digest": _digest(one.digest)} for one in origin.members]
    definition = {
        "buildType": INDEX_BUILD_TYPE,
        "externalParameters": {
            "image": origin.image,
            "platforms": [one.platform.key for one in origin.members],
        },
        "internalParameters": {
            "fingerprints": {one.platform.key: one.fingerprint for one in origin.members}
        },
        "resolvedDependencies": [*_source(origin.source), *members],
    }
    return _statement(origin.subject, digest, definition, origin.builder)


def _statement(subject: str, digest: str, definition: Mapping[str, Any], builder: str) -> bytes:
    return canonical_json(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": subject, "digest": _digest(digest)}],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "buildDefinition": definition,
                "runDetails": {
                    "builder": {"id": builder or BUILDER, "version": {"orch": __version__}}
                },
            },
        }
    )


def _parameters(bill: Bill, origin: Origin) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "image": bill.image,
        "platform": bill.platform.key,
        "definition": origin.definition,
        "file": origin.file,
    }
    if origin.target:
        parameters["target"] = origin.target
    if origin.arguments:
        parameters["arguments"] = dict(origin.arguments)
    return parameters


def _source(source: Source) -> Iterator[dict[str, Any]]:
    if not source.commit:
        return
    row: dict[str, Any] = {"name": "workspace", "digest": {"gitCommit": source.commit}}
    if source.uri:
        row["uri"] = f"git+{source.uri}"
    if source.is_dirty:
        row["annotations"] = {"dirty": True}
    yield row


def _images(bill: Bill, origin: Origin) -> Iterator[dict[str, Any]]:
    for name, digest in sorted(origin.parents.items()):
        yield {"name": name, "digest": _digest(digest)}
    for base in bill.bases:
        if base.digest:
            yield {"name": base.reference, "digest": _digest(base.digest)}


def _packages(bill: Bill) -> Iterator[dict[str, Any]]:
    rows = {
        package.purl.to_string(): {
            "uri": package.purl.to_string(),
            "name": package.file,
            "digest": {"sha256": package.sha256},
        }
        for package in bill.packages
        if package.sha256
    }
    yield from (rows[uri] for uri in sorted(rows))
    for tier in bill.tiers:
        for fetch in tier.fetches:
            yield {"name": fetch.target, "digest": {"sha256": fetch.sha256}}


def _digest(digest: str) -> dict[str, str]:
    algorithm, _, value = digest.partition(":")
    return {algorithm: value}
