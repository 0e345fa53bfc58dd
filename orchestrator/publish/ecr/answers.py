"""ECR's answers about images and scans, as values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from typing import Any

from orchestrator.publish.findings import Finding, Scan, ScanStatus, Severity
from orchestrator.publish.outgoing import ImageDetails

_STATUSES = {
    "COMPLETE": ScanStatus.COMPLETE,
    "ACTIVE": ScanStatus.COMPLETE,
    "IN_PROGRESS": ScanStatus.IN_PROGRESS,
    "PENDING": ScanStatus.IN_PROGRESS,
    "UNSUPPORTED_IMAGE": ScanStatus.UNSUPPORTED,
}
"""ECR's statuses; with enhanced scanning `ACTIVE` goes on looking, and has findings already."""


def parse_digests(images: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Read the images of `BatchGetImage`: their digests, by these and the tags asked for."""
    digests: dict[str, str] = {}
    for image in images:
        digest = image["imageId"]["imageDigest"]
        digests |= {digest: digest, image["imageId"].get("imageTag", digest): digest}
    return digests


def parse_absent(failures: Sequence[Mapping[str, Any]]) -> set[str]:
    """Read the failures of `BatchGetImage`: the tags and digests that name nothing."""
    lacking = [row for row in failures if row["failureCode"] == "ImageNotFound"]
    return {pointer for row in lacking for pointer in row["imageId"].values()}


def parse_details(image: Mapping[str, Any]) -> ImageDetails:
    """Read an image of `DescribeImages`."""
    pushed = image["imagePushedAt"].astimezone(UTC).isoformat(timespec="seconds")
    size_bytes = int(image.get("imageSizeInBytes") or 0)
    return ImageDetails(pushed, size_bytes, tuple(sorted(image.get("imageTags", ()))))


def parse_scan(pages: Sequence[Mapping[str, Any]]) -> Scan:
    """Read the pages of `DescribeImageScanFindings`, of basic or of enhanced scanning.

    Source: Amazon ECR API reference, "ImageScanFindings", "EnhancedImageScanFinding".
    """
    status = pages[0].get("imageScanStatus", {})
    parts = [page.get("imageScanFindings", {}) for page in pages]
    completed = parts[0].get("imageScanCompletedAt")
    findings = [finding for part in parts for finding in _findings(part)]
    return Scan(
        _STATUSES.get(str(status.get("status")), ScanStatus.FAILED),
        tuple(dict.fromkeys(findings)),
        completed.isoformat(timespec="seconds") if completed else "",
        str(status.get("description") or status.get("status") or ""),
    )


def _findings(part: Mapping[str, Any]) -> Iterator[Finding]:
    for item in part.get("findings", ()):
        told = {row["key"]: row.get("value", "") for row in item.get("attributes", ())}
        yield Finding(
            item.get("name", ""),
            _severity(item),
            told.get("package_name", ""),
            told.get("package_version", ""),
            "",  # basic scanning does not tell
            item.get("uri", ""),
        )
    for item in part.get("enhancedFindings", ()):
        details = item.get("packageVulnerabilityDetails", {})
        name = details.get("vulnerabilityId") or item.get("title", "")
        packages: Sequence[Mapping[str, Any]] = details.get("vulnerablePackages") or ({},)
        for package in packages:
            yield Finding(
                name,
                _severity(item),
                package.get("name", ""),
                _version(package),
                _fixed(package.get("fixedInVersion", "")),
                details.get("sourceUrl", ""),
            )


def _severity(item: Mapping[str, Any]) -> Severity:
    try:
        return Severity(str(item.get("severity", "")).lower())
    except ValueError:
        return Severity.UNKNOWN


def _version(package: Mapping[str, Any]) -> str:
    """Return a version as Debian writes it: `[EPOCH:]VERSION[-RELEASE]`."""
    epoch, release = package.get("epoch"), package.get("release")
    version = str(package.get("version", ""))
    return f"{f'{epoch}:' if epoch else ''}{version}{f'-{release}' if release else ''}"


def _fixed(version: str) -> str:
    return "" if version == "NotAvailable" else version
