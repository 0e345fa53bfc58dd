"""The settings of a workspace."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.errors import WorkspaceError
from orchestrator.model.ci import CiSettings
from orchestrator.model.dockerfile import BuildKitSettings, ImageSettings
from orchestrator.model.platform import Platform


@dataclass(frozen=True, slots=True)
class PythonSettings:
    """`[python]` of the settings; indexes add to what pip's configuration says."""

    version: str = "3.11"
    venv: str = "/opt/venv"
    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DebianSettings:
    """`[debian]` of the settings; an empty mirror means this machine's apt sources."""

    suite: str = "bookworm"
    components: tuple[str, ...] = ("main",)
    mirror: str = ""
    security_mirror: str = ""
    snapshot: str = ""
    keyring: str = ""
    essential: tuple[str, ...] = ("base-files", "base-passwd", "coreutils", "dash", "libc-bin")


@dataclass(frozen=True, slots=True)
class WheelSettings:
    """`[wheels.NAME]` of the settings: what building a wheel of a project needs.

    `system` are Debian packages, `requires` adds to what the sdist itself asks for.
    """

    system: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SharedPlace:
    """A place that keeps wheels for several machines: `s3://BUCKET/PREFIX`, or a folder.

    `bucket` is empty for a folder.
    """

    text: str
    bucket: str = ""
    prefix: str = ""

    @classmethod
    def parse(cls, text: str) -> SharedPlace:
        """Read a place as the settings write it.

        Raises:
            WorkspaceError: It is none; the text is not repeated, it may hold a secret.
        """
        scheme, separator, rest = text.partition("://")
        if not separator and text:
            return cls(text)
        bucket, _, prefix = rest.partition("/")
        if scheme == "s3" and re.fullmatch(r"[a-zA-Z0-9][\w.-]{1,253}[a-zA-Z0-9]", bucket):
            prefix = prefix.strip("/")
            return cls(f"s3://{bucket}/{prefix}".rstrip("/"), bucket, prefix)
        raise WorkspaceError(
            "a shared place is a folder or s3://BUCKET/PREFIX, without credentials",
            hint="a store that speaks S3 is named by endpoint-url under [wheelhouse]",
        )


@dataclass(frozen=True, slots=True)
class WheelhouseSettings:
    """`[wheelhouse]` of the settings; what is empty is found as boto3 finds it."""

    shared: tuple[SharedPlace, ...] = ()
    endpoint_url: str = ""
    region: str = ""
    anonymous: bool = False
    sse: str = ""
    kms_key: str = ""


@dataclass(frozen=True, slots=True)
class ScanException:
    """`[[ecr.exceptions]]`: a finding that is put up with until a day, `YYYY-MM-DD`, for a reason.

    `images` are names or globs; none means all images.
    """

    finding: str
    until: str
    reason: str
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EcrSettings:
    """`[ecr]` of the settings; what is empty is found as boto3 finds it.

    `account` says that the registry is ECR's where its host does not. `encryption` is `AES256`,
    `KMS` or a key. `keep_builds` is how many content tags a repository keeps, 0 for all.
    """

    account: str = ""
    region: str = ""
    endpoint_url: str = ""
    profile: str = ""
    role: str = ""
    create_repositories: bool = True
    scan_on_push: bool = True
    encryption: str = "AES256"
    immutable_tags: bool = False
    keep_builds: int = 200
    keep_tags: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    severity: str = "critical"
    scan_timeout_s: float = 600.0
    exceptions: tuple[ScanException, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckException:
    """`[[checks.exceptions]]`: findings of a rule that are put up with, for a reason.

    `images` and `paths` are names or globs; with neither it holds everywhere. `until` is its last
    day, `YYYY-MM-DD`, or empty.
    """

    rule: str
    reason: str
    until: str = ""
    images: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class CheckSettings:
    """`[checks]` of the settings."""

    exceptions: tuple[CheckException, ...] = ()


@dataclass(frozen=True, slots=True)
class AttestSettings:
    """`[attest]` of the settings: which documents are published about images, and who builds.

    `required` fails what they cannot be published about.
    """

    documents: tuple[str, ...] = ("sbom", "provenance")
    builder: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class HistorySettings:
    """`[history]` of the settings: how many runs are kept, and for how long; 0 keeps all."""

    runs: int = 2000
    days: int = 365


@dataclass(frozen=True, slots=True)
class StoragePrice:
    """What a registry takes for a GB and month."""

    per_gb_month: float
    currency: str


@dataclass(frozen=True, slots=True)
class ReportSettings:
    """`[report]` of the settings."""

    price: StoragePrice | None = None


@dataclass(frozen=True, slots=True)
class GcSettings:
    """`[gc]` of the settings: how long what nobody uses is kept, 0 for ever, and how much."""

    days: int = 30
    max_size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """`orch.toml`, or `[tool.orch]` of a `pyproject.toml`, read and validated."""

    file: Path
    bases: tuple[str, ...] = ("base/*",)
    services: tuple[str, ...] = ("services/*",)
    constraints: str = "constraints.txt"
    registry: str = ""
    aliases: tuple[str, ...] = ()
    platforms: tuple[Platform, ...] = (Platform("linux", "amd64"),)
    tags: tuple[str, ...] = ("latest",)
    source: str = ""
    deployments: tuple[str, ...] = ()
    python: PythonSettings = PythonSettings()
    debian: DebianSettings = DebianSettings()
    wheelhouse: WheelhouseSettings = WheelhouseSettings()
    buildkit: BuildKitSettings = BuildKitSettings()
    ecr: EcrSettings = EcrSettings()
    attest: AttestSettings = AttestSettings()
    checks: CheckSettings = CheckSettings()
    history: HistorySettings = HistorySettings()
    report: ReportSettings = ReportSettings()
    ci: CiSettings = CiSettings()
    gc: GcSettings = GcSettings()
    images: Mapping[str, ImageSettings] = field(default_factory=dict)
    wheels: Mapping[str, WheelSettings] = field(default_factory=dict)
