"""A project that the index has as source only, and what its build leaves behind."""

from __future__ import annotations

from tests.e2e.monorepo import Monorepo
from tests.sdists import make_buildable

MADE = "open('made.txt', 'w').write('made')\n"


def add_native(repo: Monorepo, steps: str) -> None:
    make_buildable(repo.python.files, steps=steps)
    repo.python.relist("native")
    repo.write("services/api/requirements.txt", "gamma\nnative\n")
