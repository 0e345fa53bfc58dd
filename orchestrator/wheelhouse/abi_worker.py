"""Asks auditwheel about a wheel; run in a process of its own, with `WHEEL MACHINE`.

auditwheel goes into the folder that it unpacks to, and a process has only one such place for all
its threads. Answers in JSON: `{"tag": ...}`, null where nothing says what the wheel deserves;
`{"foreign": true}`, where its libraries are not for the machine; or `{"error": ...}`.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any


def main(wheel: str, machine: str) -> None:
    """Print the answer."""
    logging.getLogger("auditwheel").setLevel(logging.ERROR)
    print(json.dumps(_answer(Path(wheel), machine)))  # noqa: T201 - it is what the process is for


def _answer(wheel: Path, machine: str) -> dict[str, Any]:
    from auditwheel.architecture import Architecture  # noqa: PLC0415 - slow to import
    from auditwheel.error import NonPlatformWheelError  # noqa: PLC0415 - likewise
    from auditwheel.libc import Libc  # noqa: PLC0415 - likewise
    from auditwheel.wheel_abi import get_wheel_elfdata  # noqa: PLC0415 - likewise

    try:
        found = get_wheel_elfdata(Libc.GLIBC, Architecture(machine), wheel, frozenset(), None)
    except NonPlatformWheelError as error:
        return {"foreign": True} if error.message.startswith("Invalid") else {"tag": None}
    except RuntimeError as error:
        return {"error": " ".join(str(error).split())}
    return {"tag": found.policies.versioned_symbols_policy(found.versioned_symbols).name}


if __name__ == "__main__":
    main(*sys.argv[1:])
