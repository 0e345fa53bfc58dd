"""What a Dockerfile uses, and what settings say of its build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from orchestrator.model.kind import ImageKind
from orchestrator.model.platform import Platform
from orchestrator.model.recipe import Gates


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
