"""Files that a crash of the machine tore: of a name that was given, the bytes may be lost."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.ground import Ground
from tests.faults.scenarios import Building
from tests.faults.tally import Tally

TORN, FULL_TORN = 4, 150


def zeroed(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))].ljust(len(data), b"\0")


TEARS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "emptied": lambda _data, _rng: b"",
    "cut short": lambda data, rng: data[: rng.randrange(len(data))],
    "zeros at its end": zeroed,
}


def kept_files(ground: Ground) -> list[Path]:
    """Return all that runs have written and read again."""
    folders = (ground.paths.state, ground.cache)
    files = [file for folder in folders for file in sorted(folder.rglob("*"))]
    logs = (ground.paths.logs, ground.paths.reports, ground.cache / "uv", ground.cache / "debian")
    return [
        file
        for file in files
        if file.is_file() and file.stat().st_size and not any(log in file.parents for log in logs)
    ]


def test_torn_files_are_told_and_made_anew(
    built: Ground, build: Building, home: Path, tally: Tally, request: pytest.FixtureRequest
) -> None:
    """Builds may refuse what they find torn, with a hint; `orch fsck --repair` heals it all."""
    rng = random.Random(1)
    for number in range(FULL_TORN if request.config.getoption("--full") else TORN):
        ground = built.copy(home / f"{number}")
        torn = rng.sample(kept_files(ground), rng.randint(1, 3))
        kind = rng.choice(sorted(TEARS))
        for file in torn:
            file.write_bytes(TEARS[kind](file.read_bytes(), rng))
        (ground.root / "services/api/app/main.py").write_text(f"print({number})\n")
        if rng.random() < 0.5:
            ground.run("build")
        tally.count(f"torn stores: files {kind}")
        repaired = ground.run("fsck", "--repair")
        assert repaired.code == 0, repaired.said
        (ground.root / "services/api/app/main.py").write_text("print('api')\n")
        try:
            build.heal(ground, tally)
        except AssertionError as error:
            names = ", ".join(str(file.relative_to(ground.home)) for file in torn)
            raise AssertionError(f"{kind}: {names}") from error
