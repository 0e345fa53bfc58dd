"""The named context `wheels`: an image's wheels, and what pip is to be told of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from orchestrator.files import SourceFile
from orchestrator.model import LockedWheel

REQUIREMENTS = "requirements.txt"


def wheel_files(places: Mapping[LockedWheel, Path]) -> tuple[SourceFile, ...]:
    """Return what the context holds: wheels by their real names, and their requirements file.

    `places` are where the wheels lie on this machine.
    """
    text = requirements_text(places)
    data = text.encode()
    digest = hashlib.sha256(data).hexdigest()
    return (
        *(
            SourceFile(str(place), wheel.file, 0o644, wheel.size_bytes, wheel.sha256)
            for wheel, place in places.items()
        ),
        SourceFile("", REQUIREMENTS, 0o644, len(data), digest, text=text),
    )


def requirements_text(wheels: Iterable[LockedWheel]) -> str:
    """Return requirements that pin wheels by version and sha256, sorted.

    Source: pip's documentation, "Secure installs": one line with a hash turns on hash-checking.
    """
    lines = (f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n" for wheel in wheels)
    return "".join(sorted(lines))
