"""Fingerprints: the digest of everything an image is made from, its parents' included."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from orchestrator.files import SourceFile
from orchestrator.lockfile import ImageLock
from orchestrator.model import (
    DockerfileBuild,
    Healthcheck,
    Image,
    ImageConfig,
    ImageSettings,
    LockedWheel,
    Platform,
    Settings,
    Uses,
)

FINGERPRINT_VERSION = 4
"""Raised when orch begins to build differently from the same inputs, or to name them otherwise."""

_HIDDEN_DIGITS = 16


class Input(NamedTuple):
    """One thing an image is made from: what kind it is, its name, and its digest or version.

    Inputs are recorded, printed and sent on; what may be secret is `hidden`.
    """

    kind: str
    subject: str
    value: str


def hidden(image: Image, kind: str, subject: str, value: str) -> Input:
    """Return an input of which a digest is kept, not the value: that may be secret.

    Equal values of one input of one image have equal digests on every machine; those of
    different images or inputs have not. A value that can be guessed can be confirmed.
    """
    text = json.dumps([image.name, kind, subject, value])
    return Input(kind, subject, hashlib.sha256(text.encode()).hexdigest()[:_HIDDEN_DIGITS])


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The digest of an image's inputs, and the inputs, sorted: equal ones where digests are."""

    digest: str
    inputs: Sequence[Input] = field(compare=False)

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
    pins: Mapping[str, str] = MappingProxyType({}),
) -> Fingerprint:
    """Fingerprint an image that a recipe defines.

    `adds` is the image's own slice of the lock: what other images hold is no input. `parents`
    are the fingerprints of the siblings it stands on, `pins` the digests of external images.
    """
    inputs = [
        Input("orch", "fingerprint", str(FINGERPRINT_VERSION)),
        Input("platform", "platform", platform.key),
        *_recipe_inputs(image, settings),
        *(Input("package", deb.name, f"{deb.version} {deb.sha256}") for deb in adds.debs),
        *(_wheel_input(wheel) for wheel in adds.wheels),
        *(item for file in files for item in _file_inputs(file)),
        *(Input("parent", name, parent.digest) for name, parent in parents.items()),
    ]
    if not parents:
        inputs.append(Input("external", "from", pins.get(image.parent, image.parent)))
    return Fingerprint.of(inputs)


def fingerprint_dockerfile(
    image: Image,
    platform: Platform,
    files: Sequence[SourceFile],
    parents: Mapping[str, Fingerprint],
    external: Sequence[str],
    contexts: Mapping[str, Sequence[SourceFile]] = MappingProxyType({}),
    wheels: Sequence[LockedWheel] = (),
    pins: Mapping[str, str] = MappingProxyType({}),
) -> Fingerprint:
    """Fingerprint an image that a Dockerfile defines.

    `files` are those of the context that its instructions can reach, `parents` the fingerprints
    of the siblings it uses, `external` the other images it names, `contexts` the folders that
    it has as named contexts, `wheels` what the lock gives it, `pins` the digests of external
    images that have none of their own. Secrets, and where caches are, are no input.
    """
    build = image.build or DockerfileBuild(ImageSettings(), Uses(), "")
    options = build.settings.options
    named = [item for item in options.contexts.items() if item[0] not in contexts]
    inputs = [
        Input("orch", "fingerprint", str(FINGERPRINT_VERSION)),
        Input("platform", "platform", platform.key),
        Input("file", build.settings.dockerfile, build.sha256),
        *([Input("argument", "--target", target)] if (target := build.settings.target) else []),
        *(hidden(image, "argument", *item) for item in build.settings.build_args.items()),
        *(hidden(image, "argument", f"--build-context {name}", value) for name, value in named),
        *([Input("argument", "--network", options.network)] if options.network else []),
        *(item for file in files for item in _file_inputs(file)),
        *(
            item._replace(subject=f"{name}: {item.subject}")
            for name, held in contexts.items()
            for file in held
            for item in _file_inputs(file)
        ),
        *(_wheel_input(wheel) for wheel in wheels),
        *(Input("parent", name, parent.digest) for name, parent in parents.items()),
        *(Input("external", name.partition("@")[0], pins.get(name, name)) for name in external),
    ]
    return Fingerprint.of(inputs)


def _recipe_inputs(image: Image, settings: Settings) -> Iterator[Input]:
    """Yield the fields that reach the image; what is only asked for is in the lock's slice."""
    recipe, python = image.recipe, settings.python
    yield Input("recipe", "title", image.name)
    yield Input("recipe", "python.version", python.version)
    yield Input("recipe", "python.venv", python.venv)
    yield Input("recipe", "python.bytecode", str(recipe.bytecode).lower())
    if recipe.summary:
        yield Input("recipe", "summary", recipe.summary)
    if settings.source:  # an address may have a password in it
        yield hidden(image, "recipe", "source", settings.source)
    for path, winner in recipe.prefer.items():
        yield Input("recipe", f"python.prefer {path}", winner)
    if recipe.optional_libraries:
        libraries = " ".join(sorted(set(recipe.optional_libraries)))
        yield Input("recipe", "system.optional-libraries", libraries)
    for item in recipe.fetches:
        yield Input("recipe", f"fetch {item.target}", item.sha256)
    yield from _config_inputs(image, recipe.config)
    if recipe.healthcheck:
        yield from _healthcheck_inputs(image, recipe.healthcheck)


def _config_inputs(image: Image, config: ImageConfig) -> Iterator[Input]:
    plain = {
        "user": config.user,
        "workdir": config.workdir,
        "expose": " ".join(sorted(set(config.expose))),
        "volumes": " ".join(sorted(set(config.volumes))),
        "stop-signal": config.stop_signal,
    }
    for name, value in plain.items():
        if value:
            yield Input("recipe", f"config.{name}", value)
    for name, value in config.env.items():
        yield hidden(image, "recipe", f"env {name}", value)
    for name, value in config.labels.items():
        yield hidden(image, "recipe", f"label {name}", value)
    for name, words in (("entrypoint", config.entrypoint), ("command", config.command)):
        if words is not None:  # an empty one takes the parent's away
            yield hidden(image, "recipe", name, json.dumps(words))


def _healthcheck_inputs(image: Image, check: Healthcheck) -> Iterator[Input]:
    if check.http:
        yield hidden(image, "recipe", "healthcheck.http", check.http)
    if check.command:
        yield hidden(image, "recipe", "healthcheck.command", json.dumps(check.command))
    yield Input("recipe", "healthcheck.interval", f"{check.interval_s} s")
    yield Input("recipe", "healthcheck.timeout", f"{check.timeout_s} s")
    yield Input("recipe", "healthcheck.start-period", f"{check.start_period_s} s")
    yield Input("recipe", "healthcheck.retries", str(check.retries))


def _wheel_input(wheel: LockedWheel) -> Input:
    return Input("wheel", wheel.name, f"{wheel.version} {wheel.sha256}")


def _file_inputs(file: SourceFile) -> list[Input]:
    content = ("link", file.link) if file.link else ("file", file.sha256)
    return [
        Input(content[0], file.target, content[1]),
        Input("mode", file.target, f"{file.mode:o} {file.owner}".rstrip()),
    ]
