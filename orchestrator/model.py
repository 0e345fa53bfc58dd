"""The values that travel between rooms: platforms, recipes, images, locked packages.

Immutable, parsed at the boundary, free of I/O.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from orchestrator.errors import WorkspaceError


class ImageKind(Enum):
    """What role an image has in the tree."""

    BASE = "base"
    SERVICE = "service"


class Definition(Enum):
    """How an image is defined, and so which engine makes it."""

    RECIPE = "recipe"
    DOCKERFILE = "dockerfile"


@dataclass(frozen=True, slots=True, order=True)
class Platform:
    """An operating system and architecture, as the OCI image index names them."""

    os: str
    architecture: str

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read `linux/amd64`.

        Raises:
            WorkspaceError: The platform is none that images can be made for.
        """
        os, _, architecture = text.partition("/")
        platform = cls(os, architecture)
        if platform.key not in _ARCHITECTURES:
            known = ", ".join(sorted(_ARCHITECTURES))
            raise WorkspaceError(f"unknown platform {text!r}", hint=f"known are: {known}")
        return platform

    @property
    def key(self) -> str:
        """Return the platform as text, `linux/amd64`."""
        return f"{self.os}/{self.architecture}"

    @property
    def machine(self) -> str:
        """Return the kernel's name of the architecture, as wheels' tags use it: `x86_64`."""
        return _ARCHITECTURES[self.key].machine

    @property
    def debian(self) -> str:
        """Return Debian's name of the architecture: `amd64`, `arm64`."""
        return _ARCHITECTURES[self.key].debian

    @property
    def multiarch(self) -> str:
        """Return Debian's multiarch tuple: `x86_64-linux-gnu`."""
        return _ARCHITECTURES[self.key].multiarch

    @property
    def loader(self) -> str:
        """Return the path, without leading slash, of the dynamic loader."""
        return _ARCHITECTURES[self.key].loader

    def __str__(self) -> str:
        """Return the platform as text."""
        return self.key


@dataclass(frozen=True, slots=True)
class _Architecture:
    machine: str
    debian: str
    multiarch: str
    loader: str


_ARCHITECTURES: Mapping[str, _Architecture] = MappingProxyType(
    {
        "linux/amd64": _Architecture(
            "x86_64", "amd64", "x86_64-linux-gnu", "lib64/ld-linux-x86-64.so.2"
        ),
        "linux/arm64": _Architecture(
            "aarch64", "arm64", "aarch64-linux-gnu", "lib/ld-linux-aarch64.so.1"
        ),
    }
)


@dataclass(frozen=True, slots=True)
class LockedDeb:
    """A Debian package, pinned; `path` is its pool path below a mirror's root."""

    name: str
    version: str
    architecture: str
    sha256: str
    size_bytes: int
    path: str

    @property
    def file(self) -> str:
        """Return the file's name, the last part of the pool path."""
        return PurePosixPath(self.path).name


@dataclass(frozen=True, slots=True)
class LockedWheel:
    """A Python distribution file, pinned; an sdist where the index has no wheel for it."""

    name: str
    version: str
    file: str
    sha256: str
    size_bytes: int

    @property
    def is_wheel(self) -> bool:
        """Tell whether the file can be installed as it is (PEP 427)."""
        return self.file.endswith(".whl")


@dataclass(frozen=True, slots=True)
class WheelBuild:
    """How a wheel is built from an sdist for a platform, pinned, and what came of it.

    `settings` is the digest of what was asked for when it was pinned; `env` holds names of
    variables, never their values. `wheel` is None until the sdist was built.
    """

    sdist: LockedWheel
    platform: Platform
    requires: tuple[LockedWheel, ...] = ()
    system: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    settings: str = ""
    wheel: LockedWheel | None = None
    compiler: str = ""

    @property
    def name(self) -> str:
        """Return the project's name."""
        return self.sdist.name

    @property
    def title(self) -> str:
        """Return name and version, as people write them."""
        return f"{self.sdist.name} {self.sdist.version}"


@dataclass(frozen=True, slots=True)
class Healthcheck:
    """A recipe's `[healthcheck]`; times in seconds."""

    http: str = ""
    command: tuple[str, ...] = ()
    interval_s: float = 30.0
    timeout_s: float = 5.0
    start_period_s: float = 30.0
    retries: int = 3


@dataclass(frozen=True, slots=True)
class FileCopy:
    """A recipe's `[[files]]`: what is copied from the workspace into the image."""

    source: str
    target: str
    mode: int | None = None
    owner: str = ""
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileFetch:
    """A recipe's `[[fetch]]`: a file from a URL, in a layer of its own."""

    url: str
    sha256: str
    target: str


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """A recipe's `[config]`: what the image's runtime configuration adds to its parent's."""

    user: str = ""
    workdir: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    expose: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    stop_signal: str = ""


SEVERITIES = ("low", "medium", "high", "critical", "none")
"""Which findings of scans count: those as severe, or more; with `none` none do."""


@dataclass(frozen=True, slots=True)
class Gates:
    """A recipe's `[gates]`: limits that a built image must hold; `severity` may be left open."""

    max_size_bytes: int | None = None
    max_growth_percent: float | None = None
    start_within_s: float | None = None
    read_only: bool = True
    severity: str = ""


@dataclass(frozen=True, slots=True)
class Recipe:
    """An `image.toml`, read and validated; `sha256` is its text's, empty where it has none."""

    parent: str
    summary: str = ""
    deprecated: str = ""
    system_packages: tuple[str, ...] = ()
    optional_libraries: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    bytecode: bool = True
    prefer: Mapping[str, str] = field(default_factory=dict)
    files: tuple[FileCopy, ...] = ()
    fetches: tuple[FileFetch, ...] = ()
    config: ImageConfig = ImageConfig()
    healthcheck: Healthcheck | None = None
    gates: Gates = Gates()
    parent_line: int | None = field(default=None, compare=False)
    sha256: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Reference:
    """An image that a Dockerfile names, its variables put in, and the line it is named on."""

    name: str
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class ContextSource:
    """A source of a COPY, an ADD or a bind mount, its variables put in; it may have wildcards."""

    path: str
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Uses:
    """What the stages that a Dockerfile's target needs are made from.

    `references` begin with what the target stands on, its `base`, unless that is nothing.
    `whole_context` says why all of the context counts, or is empty. `onbuild` tells whether
    instructions are left to what stands on it.
    """

    references: tuple[Reference, ...] = ()
    sources: tuple[ContextSource, ...] = ()
    whole_context: str = ""
    onbuild: bool = False
    base: Reference | None = None


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret of a build, by reference: what it is called there, and where its value is."""

    id: str
    env: str = ""
    file: str = ""


@dataclass(frozen=True, slots=True)
class BuildKitOptions:
    """How BuildKit builds an image, or all of them; `contexts` are named contexts."""

    secrets: tuple[Secret, ...] = ()
    ssh: tuple[str, ...] = ()
    network: str = ""
    contexts: Mapping[str, str] = field(default_factory=dict)
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()

    def over(self, below: BuildKitOptions) -> BuildKitOptions:
        """Return these options, completed by those that hold for all images."""
        secrets = {secret.id: secret for secret in (*below.secrets, *self.secrets)}
        return BuildKitOptions(
            secrets=tuple(secrets.values()),
            ssh=tuple(dict.fromkeys((*below.ssh, *self.ssh))),
            network=self.network or below.network,
            contexts={**below.contexts, **self.contexts},
            cache_from=(*below.cache_from, *self.cache_from),
            cache_to=self.cache_to or below.cache_to,
        )


@dataclass(frozen=True, slots=True)
class BuildKitSettings:
    """`[buildkit]` of the settings: what holds for all images that Dockerfiles define."""

    builder: str = ""
    build_args: Mapping[str, str] = field(default_factory=dict)
    options: BuildKitOptions = BuildKitOptions()

    def complete(self, image: ImageSettings) -> ImageSettings:
        """Return an image's settings with these below its own."""
        build_args = {**self.build_args, **image.build_args}
        return replace(image, build_args=build_args, options=image.options.over(self.options))


@dataclass(frozen=True, slots=True)
class ImageSettings:
    """`[image.NAME]` of the settings; `path` is the folder of the context.

    Without a `kind` the image is of that of the glob that finds its folder. `requirements` are
    the files that its Dockerfile installs, none of them an answer too; None where that is not
    said. `python` and `glibc` say what wheels must fit, where no parent does.
    """

    path: str = ""
    dockerfile: str = "Dockerfile"
    target: str = ""
    build_args: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    platforms: tuple[Platform, ...] = ()
    kind: ImageKind | None = None
    requirements: tuple[str, ...] | None = None
    python: str = ""
    glibc: str = ""
    whole_constraints: bool = False
    options: BuildKitOptions = BuildKitOptions()
    gates: Gates = Gates()
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class DockerfileBuild:
    """A Dockerfile, read, and how it is built; `sha256` is that of its text."""

    settings: ImageSettings
    uses: Uses
    sha256: str


@dataclass(frozen=True, slots=True)
class Image:
    """A node of the graph: one image that a folder of the workspace defines.

    One that a Dockerfile defines has a `build`, and a recipe that asks for the requirements
    alone that the settings name.
    """

    name: str
    kind: ImageKind
    definition: Definition
    path: PurePosixPath
    file: PurePosixPath
    recipe: Recipe
    build: DockerfileBuild | None = None

    @property
    def parent(self) -> str:
        """Return the reference the image stands on, as its definition writes it."""
        return self.recipe.parent

    @property
    def is_locked(self) -> bool:
        """Tell whether the lock says what the image adds: always of a recipe."""
        return self.build is None or self.build.settings.requirements is not None


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
    images: Mapping[str, ImageSettings] = field(default_factory=dict)
    wheels: Mapping[str, WheelSettings] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Workspace:
    """The monorepo: its root, its settings, its images in a stable order."""

    root: Path
    settings: Settings
    images: Mapping[str, Image] = field(default_factory=dict)


_NAME = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")


def is_image_name(name: str) -> bool:
    """Tell whether a name can be a repository's last component (OCI distribution, pulling)."""
    return _NAME.fullmatch(name) is not None
