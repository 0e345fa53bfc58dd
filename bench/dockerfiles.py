"""How long it takes to read a workspace of Dockerfiles and to order its images.

    python bench/dockerfiles.py            600 Dockerfiles
    python bench/dockerfiles.py 2000       as many as you say

Prints the median of several runs, beside that of reading the same files' bytes alone.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from orchestrator.graph import build_graph
from orchestrator.workspace import read_workspace

ROOTS = 6
DOCKERFILE = """# syntax=docker/dockerfile:1
ARG REGISTRY=registry.example.com/team
ARG TAG=1.0
FROM {parent} AS build
ENV PYTHONUNBUFFERED=1 \\
    PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN apt-get update \\
 && apt-get install -y --no-install-recommends \\
      build-essential \\
      # the database's client
      libpq-dev \\
 && rm -rf /var/lib/apt/lists/*
COPY requirements.txt ./
RUN --mount=type=cache,target=/root/.cache/pip pip wheel -r requirements.txt -w /wheels
FROM {parent}
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels pip install /wheels/*.whl
COPY --chown=1000:1000 app/ /app/
RUN <<EOF
set -e
useradd -u 1000 app
EOF
USER 1000
EXPOSE 8080
HEALTHCHECK --interval=30s CMD curl -f http://localhost:8080/health || exit 1
ENTRYPOINT ["python", "-m", "app"]
"""


def write_workspace(root: Path, images: int) -> None:
    """Write a workspace in three tiers, one image of ten a base, each of two stages."""
    (root / "orch.toml").write_text('registry = "registry.example.com/team"\n')
    bases = max(ROOTS, images // 10)
    for number in range(images):
        parent = "python:3.11-slim"
        if number >= ROOTS:
            standing_on = number % bases if number >= bases else number % ROOTS
            parent = f"${{REGISTRY}}/image-{standing_on:04}:${{TAG:-latest}}"
        folder = root / ("base" if number < bases else "services") / f"image-{number:04}"
        folder.mkdir(parents=True)
        (folder / "Dockerfile").write_text(DOCKERFILE.format(parent=parent))


def median_s(work: Callable[[], object], runs: int) -> float:
    durations = []
    for _ in range(runs):
        begin = time.perf_counter()
        work()
        durations.append(time.perf_counter() - begin)
    return statistics.median(durations)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("images", nargs="?", type=int, default=600)
    parser.add_argument("--runs", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        write_workspace(root, arguments.images)
        files = sorted(root.rglob("Dockerfile"))
        assert len(build_graph(read_workspace(root)).images) == len(files)
        graph_s = median_s(lambda: build_graph(read_workspace(root)), arguments.runs)
        bytes_s = median_s(lambda: [file.read_bytes() for file in files], arguments.runs)
    print(f"{len(files)} Dockerfiles read and ordered  {graph_s:.3f} s")
    print(f"their bytes read, nothing else      {bytes_s:.3f} s")


if __name__ == "__main__":
    main()
