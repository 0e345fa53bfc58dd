"""The rule about the CUDA of a base and that of what is installed on it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.checks.commands import commands_of
from orchestrator.checks.cuda import (
    Cuda,
    cuda_of_index,
    cuda_of_package,
    cuda_of_reference,
    cuda_of_requirement,
    cuda_of_variables,
)
from orchestrator.checks.dockerfiles import DockerfileView
from orchestrator.checks.finding import Finding, Region, Severity
from orchestrator.checks.rule import rule
from orchestrator.checks.rules.bases import from_region
from orchestrator.checks.subject import Subject
from orchestrator.model import Image

_ENV = re.compile(r"\b(CUDA_VERSION|NVIDIA_REQUIRE_CUDA)[= ]\s*\"?([^\"\n]+)")


@rule("cuda-mismatch", Severity.ERROR)
def cuda_mismatch(subject: Subject) -> Iterator[Finding]:
    """The CUDA of a base is another than packages on it were built for.

    A base brought CUDA 12.9, and the torch on it was built for 12.1 (`+cu121`). Everything
    imports and the health check answers; GPU code fails at run time, on the one machine that has
    a GPU. What a base has is told by CUDA_VERSION, NVIDIA_REQUIRE_CUDA, or the tag it stands on;
    what a package was built for by its version in the lock or a `pip install` (`+cu121`), by its
    name (`cupy-cuda12x`), by the index that it is installed from (`--index-url .../cu121`), or by
    the NVIDIA packages that came with it. Those carry a runtime of their own: one of the
    same major version is a warning.

    ## What to do

    Lock the build for the base's CUDA, or stand on the base that the build is for.

    ## Example

    ```toml
    # base/python-gpu/image.toml, whose requirements have torch==2.4.0+cu121
    from = "nvidia/cuda:12.9.1-runtime-ubuntu22.04"     # cuda-mismatch
    ```
    """
    for image in subject.images():
        brought = _brought(subject, image)
        if brought is None:
            continue
        for package in (*_built_for(subject, image), *_installed(subject, image)):
            built_for = package.cuda
            if not built_for.fits(brought.cuda):
                is_error = built_for.is_exact or built_for.major != brought.cuda.major
                yield cuda_mismatch.finding(
                    f"{package.title} is built for CUDA {built_for}, and {brought.by} brings "
                    f"CUDA {brought.cuda}",
                    f"{package.how} a build for CUDA {brought.cuda}, or stand on an image with "
                    f"CUDA {built_for}",
                    file=str(image.file),
                    region=package.region or _place(subject, image, brought),
                    image=image.name,
                    severity=None if is_error else Severity.WARNING,
                )


@dataclass(frozen=True, slots=True)
class _Brought:
    """The CUDA below an image, and what brings it."""

    cuda: Cuda
    by: str


@dataclass(frozen=True, slots=True)
class _Package:
    """A package as it is named in messages, and the CUDA that it is built for."""

    title: str
    cuda: Cuda
    how: str = "lock"
    region: Region | None = None


def _brought(subject: Subject, image: Image) -> _Brought | None:
    """Return the CUDA that is nearest: the image's own, then that of what it stands on."""
    for one in (image, *subject.below(image)):
        if cuda := _own(subject, one):
            return _Brought(cuda, one.name)
        reference = _stands_on(one)
        if cuda := cuda_of_reference(reference):
            return _Brought(cuda, reference)
    return None


def _own(subject: Subject, image: Image) -> Cuda | None:
    config = image.recipe.config
    if cuda := cuda_of_variables({**config.labels, **config.env}):
        return cuda
    dockerfile = subject.dockerfile(image)
    if dockerfile is None:
        return None
    instructions = DockerfileView(subject, image, dockerfile).instructions("ENV", "LABEL")
    found = (_ENV.search(item.rest) for item in instructions)
    return cuda_of_variables({match[1]: match[2] for match in found if match})


def _stands_on(image: Image) -> str:
    base = image.build.uses.base if image.build else None
    return base.name if base else image.parent


def _built_for(subject: Subject, image: Image) -> Iterator[_Package]:
    """Yield what an image adds that is built for a CUDA: as locked, else as it is asked for."""
    wheels = subject.wheels(image)
    for wheel in wheels:
        if cuda := cuda_of_package(wheel.name, wheel.version):
            yield _Package(f"{wheel.name} {wheel.version}", cuda)
    for line in () if wheels else subject.requirements[image.name]:
        if cuda := cuda_of_requirement(str(line)):
            yield _Package(str(line), cuda)


def _installed(subject: Subject, image: Image) -> Iterator[_Package]:
    """Yield what a Dockerfile names where it installs it, that is built for a CUDA."""
    dockerfile = subject.dockerfile(image)
    if dockerfile is None:
        return
    view = DockerfileView(subject, image, dockerfile)
    for run in view.instructions("RUN"):
        for command in commands_of(view, run):
            words = command.pip_arguments or ()
            by_index = cuda_of_index([word.text for word in words])
            for word in words:
                if cuda := cuda_of_requirement(word.text, by_index):
                    yield _Package(word.text, cuda, "install", word.region)


def _place(subject: Subject, image: Image, brought: _Brought) -> Region | None:
    word = brought.by if brought.by != image.name else ""
    return from_region(subject, image, word)
