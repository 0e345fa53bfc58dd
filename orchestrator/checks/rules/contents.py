"""Rules about what lies in images of recipes and should not: secrets, compilers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from orchestrator.checks.dockerfile_config import find_written_secrets
from orchestrator.checks.dockerfile_steps import find_compilers
from orchestrator.checks.finding import Finding, Severity
from orchestrator.checks.rule import rule
from orchestrator.checks.secrets import secret_of_variable
from orchestrator.checks.subject import Subject
from orchestrator.settings import SETTINGS_FILE

COMPILERS = re.compile(
    r"build-essential|(?:gcc|g\+\+|cpp|clang|llvm)(?:-[\d.]+)?|cmake|ninja-build|meson|rustc|cargo"
    r"|golang(?:-.+)?|default-jdk(?:-.+)?|openjdk-\d+-jdk(?:-.+)?|autoconf|automake|libtool"
    r"|pkg-config|pkgconf|python3(?:\.\d+)?-dev|lib.+-dev|linux-headers-.+"
)


@rule("secret-in-config", Severity.ERROR)
def secret_in_config(subject: Subject) -> Iterator[Finding]:
    """A variable, a label or a build argument looks like a secret.

    What stands in an image's configuration is read by everyone who can pull it, for as long as a
    copy exists, and build arguments stay in its history. A key that was pushed once has to be
    taken for known. Values are recognised by their form, or by the name of what holds them; empty
    ones, paths, and such as `${TOKEN}` or `changeme` are not reported. The value is never printed.

    ## What to do

    Take it out, and revoke it. Give it to the container when it starts; give it to a build as a
    secret, `[image.NAME] secrets`.

    ## Example

    ```toml
    [config.env]
    OPENAI_API_KEY = "..."      # secret-in-config, if this were one
    ```
    """
    for image in subject.images():
        config, file = image.recipe.config, str(image.file)
        yield from _secrets(subject, config.env, file, ("config", "env"), image.name)
        yield from _secrets(subject, config.labels, file, ("config", "labels"), image.name)
    settings, file = subject.settings, subject.settings_file
    prefix = () if file == SETTINGS_FILE else ("tool", "orch")
    path: tuple[str, ...] = (*prefix, "buildkit", "build-args")
    yield from _secrets(subject, settings.buildkit.build_args, file, path, "")
    for name, one in settings.images.items():
        path = (*prefix, "image", name, "build-args")
        yield from _secrets(subject, one.build_args, file, path, name)
    for fault in find_written_secrets(subject):
        yield fault.of(secret_in_config)


def _secrets(
    subject: Subject, values: Mapping[str, str], file: str, path: tuple[str, ...], image: str
) -> Iterator[Finding]:
    for name, value in values.items():
        if found := secret_of_variable(name, value):
            yield secret_in_config.finding(
                f"{name} under [{'.'.join(path)}] looks like a secret ({found.kind})",
                "take it out and revoke it; give it to the container when it starts",
                file=file,
                region=subject.sources.region_of_key(file, (*path, name), name),
                image=image,
            )


@rule("compiler-in-image", Severity.WARNING)
def compiler_in_image(subject: Subject) -> Iterator[Finding]:
    """An image installs compilers, or headers to compile against.

    They make an image hundreds of megabytes larger, they bring findings of every scan, and they
    help whoever broke in. They are there because one package has no wheel; `orch wheels` builds
    that once, in a place of its own, with what `[wheels.NAME] system` asks for.

    ## What to do

    Take them out of `[system] packages`, and name them under `[wheels.NAME]` of the settings. An
    image whose purpose is compiling is excepted with that reason.

    ## Example

    ```toml
    # services/audio/image.toml
    [system]
    packages = ["build-essential", "libffi-dev"]      # compiler-in-image

    # orch.toml, instead
    [wheels.webrtcvad]
    system = ["build-essential", "libffi-dev"]
    ```
    """
    for image in subject.images():
        for package in image.recipe.system_packages:
            if COMPILERS.fullmatch(package.partition("=")[0]):
                file = str(image.file)
                yield compiler_in_image.finding(
                    f"{package} is for compiling",
                    "name it under [wheels.NAME] system of the settings, for what needs it",
                    file=file,
                    region=subject.sources.region_of_key(file, ("system", "packages"), package),
                    image=image.name,
                )
    for fault in find_compilers(subject, COMPILERS):
        yield fault.of(compiler_in_image)
