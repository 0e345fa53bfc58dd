"""Where an image is from: in-toto statements with the provenance of SLSA."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator import __version__
from orchestrator.attest.artifacts import PREDICATE_TYPE
from orchestrator.attest.bill import Bill
from orchestrator.oci.image import canonical_json

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
BUILD_TYPE = "urn:orch:build:1"
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


def make_provenance(bill: Bill, origin: Origin) -> bytes:
    """Return an unsigned statement; equal origins give equal bytes.

    No time is told: none is known of an image that was made at some other time, or elsewhere.

    Source: in-toto attestation framework, Statement v1; SLSA, Provenance v1.
    """
    return canonical_json(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": origin.subject, "digest": _digest(bill.digest)}],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "buildDefinition": {
                    "buildType": BUILD_TYPE,
                    "externalParameters": _parameters(bill, origin),
                    "internalParameters": {"fingerprint": origin.fingerprint},
                    "resolvedDependencies": [
                        *_source(origin.source),
                        *_images(bill, origin),
                        *_packages(bill),
                    ],
                },
                "runDetails": {
                    "builder": {
                        "id": origin.builder or BUILDER,
                        "version": {"orch": __version__},
                    }
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
