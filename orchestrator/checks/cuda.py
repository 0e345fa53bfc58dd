"""Which CUDA an image brings, and which its Python packages were built for. Decides alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

_REQUIRES = re.compile(r"cuda>=(\d+)\.(\d+)")
_VERSION = re.compile(r"(\d+)\.(\d+)")
_IMAGE = re.compile(r"(?:^|[/:_-])cuda[:_-]?(\d+)\.(\d+)(?![0-9])")
_LOCAL = re.compile(r"cu(\d{2})(\d)")
_INDEX = re.compile(
    r"(?:^| )(?:-i ?|(?:--index-url|--default-index)[= ])\S+/cu(\d{2})(\d)/?(?: |$)"
)
_OF_INDEX = frozenset({"torch", "torchaudio", "torchvision"})
"""What indexes by CUDA have builds of; the others are for any."""
_PROJECT = re.compile(r"(?:^|-)(?:cu|cuda)-?(\d{2})x?(?=-|$)")
_RUNTIME = re.compile(r"nvidia-cuda-(?:runtime|nvrtc|cupti)(?:-cu\d{2})?")
_BUILT_FOR_CUDA = re.compile(r"torch.*|nvidia-.+|cupy.*|jax.*|.*[-_]cu(?:da)?1\d.*")


@dataclass(frozen=True, slots=True)
class Cuda:
    """A version of CUDA; `minor` is None where only the major version is known.

    `is_exact` says that what was built for it needs just that minor version.
    """

    major: int
    minor: int | None = None
    is_exact: bool = False

    def __str__(self) -> str:
        """Return it as people write it."""
        return str(self.major) if self.minor is None else f"{self.major}.{self.minor}"

    def fits(self, other: Cuda) -> bool:
        """Tell whether they are the same, as far as both are known."""
        if self.major != other.major:
            return False
        return None in {self.minor, other.minor} or self.minor == other.minor


def cuda_of_variables(variables: Mapping[str, str]) -> Cuda | None:
    """Return the CUDA that an image's environment or labels tell of, as NVIDIA's images do."""
    for name, value in variables.items():
        key = name.upper().rpartition(".")[2]
        pattern = _REQUIRES if key == "NVIDIA_REQUIRE_CUDA" else _VERSION
        if key in {"CUDA_VERSION", "NVIDIA_REQUIRE_CUDA"} and (match := pattern.search(value)):
            return Cuda(int(match[1]), int(match[2]))
    return None


def cuda_of_reference(reference: str) -> Cuda | None:
    """Return the CUDA that an image's name or tag tells of: `nvidia/cuda:12.9.1-runtime`."""
    match = _IMAGE.search(reference.partition("@")[0])
    return Cuda(int(match[1]), int(match[2])) if match else None


def cuda_of_package(name: str, version: str) -> Cuda | None:
    """Return the CUDA that a package was built for, by its local version or its name.

    `torch 2.4.0+cu121`, `nvidia-cuda-runtime-cu12 12.1.105`, `cupy-cuda12x`, `jax-cuda12-plugin`.
    """
    if not _BUILT_FOR_CUDA.fullmatch(name):
        return None
    try:
        parsed = Version(version)
    except InvalidVersion:
        return None
    if match := _LOCAL.fullmatch(parsed.local or ""):
        return Cuda(int(match[1]), int(match[2]), is_exact=True)
    if _RUNTIME.fullmatch(name) and parsed.major >= 9:
        return Cuda(parsed.major, parsed.minor)
    match = _PROJECT.search(name)
    return Cuda(int(match[1])) if match else None


def cuda_of_requirement(text: str, by_index: Cuda | None = None) -> Cuda | None:
    """Return the CUDA of what a requirement asks for, by its version, name or extra, or its index.

    `torch==2.4.0+cu121`, `cupy-cuda12x`, `jax[cuda12]`.
    """
    try:
        wanted = Requirement(text)
    except InvalidRequirement:
        return None
    name = str(canonicalize_name(wanted.name))
    exact = [item.version for item in wanted.specifier if item.operator == "=="]
    named = [(name, exact[0] if exact else "0")]
    named += [(f"{name}-{extra}", "0") for extra in sorted(wanted.extras)]
    found = (cuda_of_package(*each) for each in named)
    return next(filter(None, found), by_index if name in _OF_INDEX else None)


def cuda_of_index(arguments: Sequence[str]) -> Cuda | None:
    """Return the CUDA of the only index that arguments of pip name: `--index-url .../cu121`."""
    match = _INDEX.search(" ".join(arguments))
    return Cuda(int(match[1]), int(match[2]), is_exact=True) if match else None
