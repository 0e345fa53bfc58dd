"""Bills of materials as CycloneDX documents; the one user of its library."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6

from orchestrator import __version__
from orchestrator.attest.bill import Bill, ExternalBase, Package, Tier
from orchestrator.model import FileFetch
from orchestrator.oci.image import canonical_json

_NAMESPACE = uuid.UUID("8e7f3a52-5d1c-5c0a-9d43-6a1f0b7c2e94")


def make_sbom(bill: Bill) -> bytes:
    """Return a bill as CycloneDX 1.6, JSON; equal bills give equal bytes.

    The serial number follows from the image's digest, and no time is told: a document is about
    an image, and that does not change. Packages hang on the image of the chain that brings
    them.

    Source: CycloneDX 1.6 (ECMA-424).
    """
    document = json.loads(JsonV1Dot6(_bom(bill)).output_as_string())
    del document["metadata"]["timestamp"]
    document["compositions"] = [  # the library has no model of these
        {
            "aggregate": "incomplete" if bill.unread else "complete",
            "assemblies": [_ref("image", bill.image)],
        }
    ]
    return canonical_json(document)


def _bom(bill: Bill) -> Bom:
    tiers = {tier.image: _tier(bill, tier) for tier in bill.tiers}
    tool = Component(name="orch", version=__version__, type=ComponentType.APPLICATION)
    metadata = BomMetaData(component=tiers[bill.image], tools=ToolRepository(components=[tool]))
    bom = Bom(
        serial_number=uuid.uuid5(_NAMESPACE, f"{bill.digest} {bill.platform}"), metadata=metadata
    )
    below: list[Component] = [_base(base) for base in bill.bases]
    bom.components.update(below)
    for tier in bill.tiers:
        packages = {item.purl.to_string(): item for item in tier.packages}
        parts = [*map(_package, packages.values()), *map(_file, tier.fetches)]
        bom.components.update(parts)
        bom.register_dependency(tiers[tier.image], [*below, *parts])
        below = [tiers[tier.image]]
        if tier.image != bill.image:
            bom.components.add(tiers[tier.image])
    return bom


def _tier(bill: Bill, tier: Tier) -> Component:
    is_whole = tier.image == bill.image
    told = {"orch:platform": bill.platform.key, "orch:unread": bill.unread} if is_whole else {}
    return Component(
        name=tier.image,
        type=ComponentType.CONTAINER,
        bom_ref=_ref("image", tier.image),
        version=bill.digest if is_whole else None,
        purl=bill.purl if is_whole else None,
        properties=[Property(name=name, value=value) for name, value in told.items() if value],
    )


def _base(base: ExternalBase) -> Component:
    return Component(
        name=base.reference,
        type=ComponentType.CONTAINER,
        bom_ref=_ref("external", base.reference),
        version=base.digest or None,
    )


def _package(package: Package) -> Component:
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.LIBRARY,
        purl=package.purl,
        bom_ref=package.purl.to_string(),
        hashes=_hashes(package.sha256),
    )


def _file(fetch: FileFetch) -> Component:
    return Component(
        name=fetch.target,
        type=ComponentType.FILE,
        bom_ref=_ref("file", fetch.target),
        hashes=_hashes(fetch.sha256),
    )


def _hashes(sha256: str) -> Iterable[HashType]:
    return [HashType(alg=HashAlgorithm.SHA_256, content=sha256)] if sha256 else []


def _ref(kind: str, name: str) -> str:
    return f"{kind}:{name}"
