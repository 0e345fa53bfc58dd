"""What a built wheel needs of the C library, by auditwheel's analysis: its honest platform tag."""

from __future__ import annotations

import logging
from pathlib import Path

from orchestrator.errors import ArtifactError
from orchestrator.model import Platform

_ANOTHER = "pin another version of the package"


def platform_tag(wheel: Path, platform: Platform) -> str | None:
    """Return the platform tag that a wheel's libraries deserve (PEP 600); None if it has none.

    The tag follows from the versions of symbols that the wheel's own ELF files ask for. Which
    other libraries they need is not part of it: those are looked for in the image.

    Raises:
        ArtifactError: A library lies where none may be, or is for another machine.
    """
    from auditwheel.architecture import Architecture  # noqa: PLC0415 - slow to import
    from auditwheel.error import NonPlatformWheelError  # noqa: PLC0415 - likewise
    from auditwheel.libc import Libc  # noqa: PLC0415 - likewise
    from auditwheel.wheel_abi import get_wheel_elfdata  # noqa: PLC0415 - likewise

    logging.getLogger("auditwheel").setLevel(logging.ERROR)
    architecture = Architecture(platform.machine)
    try:
        found = get_wheel_elfdata(Libc.GLIBC, architecture, wheel, frozenset(), None)
    except NonPlatformWheelError as error:
        if error.message.startswith("Invalid"):
            raise ArtifactError(
                f"{wheel.name}: its libraries are not for {platform}", hint=_ANOTHER
            ) from error
        return None
    except RuntimeError as error:
        why = " ".join(str(error).split())
        raise ArtifactError(f"{wheel.name}: {why}", hint=_ANOTHER) from error
    policy: str = found.policies.versioned_symbols_policy(found.versioned_symbols).name
    return policy
