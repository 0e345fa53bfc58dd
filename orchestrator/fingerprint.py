"""Fingerprints: the digest of everything an image is made from, its parents' included."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from orchestrator.files import SourceFile
from orchestrator.lockfile import ImageLock
from orchestrator.model import (
    DockerfileBuild,
    Image,
    ImageSettings,
    Platform,
    Settings,
    Uses,
)

FINGERPRINT_VERSION = 1
"""Raised when orch begins to build differently from the same inputs."""


class Input(NamedTuple):
    """One thing an image is made from: what kind it is, its name, and its digest or version."""

    kind: str
    subject: str
    value: str


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The digest of an image's inputs, and the inputs, sorted."""

    digest: str
    inputs: tuple[Input, ...]

    @classmethod
    def of(cls, inputs: Iterable[Input]) -> Fingerprint:
        """Hash inputs; their order does not count."""
        ordered = tuple(sorted(inputs))
        text = json.dumps(ordered, separators=(",", ":"), ensure_ascii=True)
        return cls(hashlib.sha256(text.encode()).hexdigest(), ordered)


def fingerprint_recipe(
    image: Image,
    settings: Settings,
    platform: Platform,
    adds: ImageLock,
    files: Sequence[SourceFile],
    parents: Mapping[str, Fingerprint],
) -> Fingerprint:
    """Fingerprint an image that a recipe defines.

    `adds` is the image's own slice of the lock: what other images hold is no input. `parents`
    are the fingerprints of the siblings it stands on.
    """
    inputs = [
        Input("orch", "fingerprint", str(FINGERPRINT_VERSION)),
        Input("platform", "platform", platform.key),
        *_recipe_inputs(image, settings),
        *(Input("package", deb.name, f"{deb.version} {deb.sha256}") for deb in adds.debs),
        *(Input("wheel", wheel.name, f"{wheel.version} {wheel.sha256}") for wheel in adds.wheels),
        *(item for file in files for item in _file_inputs(file)),
        *(Input("parent", name, parent.digest) for name, parent in parents.items()),
    ]
    if not parents:
        inputs.append(Input("external", "from", image.parent))
    return Fingerprint.of(inputs)


def fingerprint_dockerfile(
    image: Image,
    platform: Platform,
    files: Sequence[SourceFile],
    parents: Mapping[str, Fingerprint],
    external: Sequence[str],
) -> Fingerprint:
    """Fingerprint an image that a Dockerfile defines.

    `files` are those of the context that its instructions can reach, `parents` the fingerprints
    of the siblings it uses, `external` the other images it names. Secrets are no input.
    """
    build = image.build or DockerfileBuild(ImageSettings(), Uses(), "")
    inputs = [
        Input("orch", "fingerprint", str(FINGERPRINT_VERSION)),
        Input("platform", "platform", platform.key),
        Input("file", build.settings.dockerfile, build.sha256),
        Input("argument", "--target", build.settings.target),
        *(Input("argument", name, value) for name, value in build.settings.build_args.items()),
        *(item for file in files for item in _file_inputs(file)),
        *(Input("parent", name, parent.digest) for name, parent in parents.items()),
        *(Input("external", name.partition("@")[0], name) for name in external),
    ]
    return Fingerprint.of(inputs)


def _recipe_inputs(image: Image, settings: Settings) -> list[Input]:
    """Return the fields that reach the image; what is only asked for is in the lock's slice."""
    recipe = image.recipe
    python = f"{settings.python.version} {settings.python.venv}"
    return [
        Input("recipe", "title", image.name),
        Input("recipe", "summary", recipe.summary),
        Input("recipe", "source", settings.source),
        Input("recipe", "python", f"{python} bytecode={recipe.bytecode}"),
        Input("recipe", "prefer", _canonical(dict(recipe.prefer))),
        Input("recipe", "optional-libraries", _canonical(sorted(recipe.optional_libraries))),
        Input("recipe", "config", _canonical(asdict(recipe.config))),
        Input(
            "recipe",
            "healthcheck",
            _canonical(asdict(recipe.healthcheck)) if recipe.healthcheck else "",
        ),
        *(Input("recipe", f"fetch {item.target}", item.sha256) for item in recipe.fetches),
    ]


def _file_inputs(file: SourceFile) -> list[Input]:
    content = ("link", file.link) if file.link else ("file", file.sha256)
    return [
        Input(content[0], file.target, content[1]),
        Input("mode", file.target, f"{file.mode:o} {file.owner}".rstrip()),
    ]


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
