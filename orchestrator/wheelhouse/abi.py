"""What a built wheel needs of the C library, by auditwheel's analysis: its honest platform tag."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from orchestrator.errors import ArtifactError
from orchestrator.model import Platform
from orchestrator.scratch import scratch_folder
from orchestrator.wheelhouse import abi_worker

_ANOTHER = "pin another version of the package"


def platform_tag(wheel: Path, platform: Platform) -> str | None:
    """Return the platform tag that a wheel's libraries deserve (PEP 600); None if it has none.

    The tag follows from the versions of symbols that the wheel's own ELF files ask for. Which
    other libraries they need is not part of it: those are looked for in the image.

    Raises:
        ArtifactError: A library lies where none may be, or is for another machine.
    """
    with scratch_folder() as scratch:
        done = subprocess.run(
            [sys.executable, "-I", abi_worker.__file__, wheel.absolute(), platform.machine],
            cwd=scratch,
            env={"PATH": "/usr/bin:/bin", "TMPDIR": str(scratch)},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        why = done.stderr.strip().rpartition("\n")[2] or f"it ended with {done.returncode}"
        message = f"{wheel.name}: auditwheel cannot tell what its libraries need: {why}"
        raise ArtifactError(message, hint=_ANOTHER)
    answer = json.loads(done.stdout)
    if answer.get("foreign"):
        raise ArtifactError(f"{wheel.name}: its libraries are not for {platform}", hint=_ANOTHER)
    if "error" in answer:
        raise ArtifactError(f"{wheel.name}: {answer['error']}", hint=_ANOTHER)
    tag: str | None = answer["tag"]
    return tag
