"""Runs in a container: calls the build backend of an sdist (PEP 517).

It must run in any Python 3 by itself, with the standard library alone.
"""

import importlib
import json
import os
import sys
from pathlib import Path


def main(file: str) -> None:
    """Begin again with the job's own environment, of which an interpreter reads parts at start."""
    job = json.loads(Path(file).read_text("utf-8"))
    if "--build" not in sys.argv:
        os.umask(0o022)
        os.execve(job["python"], [job["python"], *sys.argv, "--build"], job["env"])  # noqa: S606
    os.chdir(job["source"])
    sys.path[:1] = job["backend-path"]  # in place of the folder of this script
    module, _, path = job["backend"].partition(":")
    backend = importlib.import_module(module)
    for name in filter(None, path.split(".")):
        backend = getattr(backend, name)
    backend.build_wheel(job["out"])


if __name__ == "__main__":
    main(sys.argv[1])
