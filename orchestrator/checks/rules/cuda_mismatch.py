"""The rule about the CUDA of a base and that of what is installed on it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.checks.cuda import (
    Cuda,
    cuda_of_package,
    cuda_of_reference,
    cuda_of_variables,
)
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
    what a package was built for by its version in the lock (`+cu121`), by its name (`cupy-cuda12x`)
    or by the NVIDIA packages that came with it. Those carry a runtime of their own: one of the
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
        for name, version, built_for in _built_for(subject, image):
            if not built_for.fits(brought.cuda):
                is_error = built_for.is_exact or built_for.major != brought.cuda.major
                yield cuda_mismatch.finding(
                    f"{name} {version} is built for CUDA {built_for}, and {brought.by} brings "
                    f"CUDA {brought.cuda}",
                    f"lock a build for CUDA {brought.cuda}, or stand on an image with CUDA "
                    f"{built_for}",
                    file=str(image.file),
                    region=_place(subject, image, brought),
                    image=image.name,
                    severity=None if is_error else Severity.WARNING,
                )


@dataclass(frozen=True, slots=True)
class _Brought:
    """The CUDA below an image, and what brings it."""

    cuda: Cuda
    by: str


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
    if dockerfile is None or image.build is None or image.build.settings.target:
        return None
    instructions = dockerfile.stages[-1].instructions
    found = (_ENV.search(item.rest) for item in instructions if item.name in {"ENV", "LABEL"})
    return cuda_of_variables({match[1]: match[2] for match in found if match})


def _stands_on(image: Image) -> str:
    base = image.build.uses.base if image.build else None
    return base.name if base else image.parent


def _built_for(subject: Subject, image: Image) -> Iterator[tuple[str, str, Cuda]]:
    """Yield what an image adds that is built for a CUDA: as locked, else as it is asked for."""
    wheels = subject.wheels(image)
    packages = [(wheel.name, wheel.version) for wheel in wheels]
    if not wheels:
        packages = [
            (line.name, item.version)
            for line in subject.requirements[image.name]
            for item in line.requirement.specifier
            if item.operator == "=="
        ]
    for name, version in packages:
        if cuda := cuda_of_package(name, version):
            yield name, version, cuda


def _place(subject: Subject, image: Image, brought: _Brought) -> Region | None:
    word = brought.by if brought.by != image.name else ""
    return from_region(subject, image, word)
