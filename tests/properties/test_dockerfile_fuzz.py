"""Dockerfiles with faults: whatever they hold, there is a graph or an error a person can act on."""

from __future__ import annotations

import random
from pathlib import Path

from orchestrator.discovery.proposal import propose
from orchestrator.errors import OrchError
from orchestrator.graph import build_graph
from orchestrator.workspace import read_workspace
from tests.helpers import write_tree
from tests.mutations import mutate_dockerfile

SHORT, FULL = 1_000, 10_000

PLAIN = b"""# syntax=docker/dockerfile:1
FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="core" \\
      maintainer='team platform'
ENV DEBIAN_FRONTEND=noninteractive PATH=/opt/bin:$PATH
RUN apt-get update \\
 && apt-get install -y --no-install-recommends \\
    # for health checks
    curl ca-certificates \\
 && rm -rf /var/lib/apt/lists/*
COPY constraints.txt /etc/pip/constraints.txt
"""
STAGES = b"""ARG REGISTRY=registry.example.com/team
ARG TAG=${VERSION:-latest} FLAVOUR='slim'
FROM --platform=$BUILDPLATFORM ${REGISTRY}/core:${TAG} AS build
ARG FLAVOUR
ENV P='/opt' Q=${P}/q
WORKDIR /src
COPY --chown=1000:1000 ["requirements files", "/c/"]
RUN --mount=type=cache,target=/root/.cache/pip \\
    --mount=type=bind,source=requirements.txt,target=/tmp/requirements.txt \\
    pip wheel -r /tmp/requirements.txt -w /wheels ${FLAVOUR:+--no-deps}
FROM core AS run
COPY --from=build --link /wheels /wheels
COPY --from=0 /c /c
RUN --mount=type=bind,from=build,target=/b --mount=type=secret,id=pip <<-EOF
\tset -e
\tpip install /b/*.whl
\tEOF
ONBUILD COPY $Q \\

  # to the application

  ./app /app
USER 1000
HEALTHCHECK --interval=30s CMD ["curl", "-f", "http://localhost/health"]
"""
ESCAPED = b"""# escape=`
ARG BASE=web
FROM ${BASE:-core}:1 as app
ADD https://example.com/a.tgz?x=${A%.*} `
    b.txt `
    C:\\data\\
COPY <<A <<"B" /etc/
$no
A
FROM nothing
B
COPY --from=busybox:1.36@sha256:DIGEST /bin/true /bin/true
FROM scratch
COPY --from=app / /
CMD ["/app"]
""".replace(b"DIGEST", b"0" * 64)
CORPUS = {
    "base/core/Dockerfile": PLAIN,
    "base/web/Dockerfile": STAGES,
    "services/api/Dockerfile": ESCAPED,
}


def test_mutated_dockerfiles_give_a_graph_or_an_error_with_a_message(
    tmp_path: Path, rounds: int
) -> None:
    chance = random.Random(20260101)
    write_tree(tmp_path, {"orch.toml": 'registry = "registry.example.com/team"\n'})
    for path, text in CORPUS.items():
        write_tree(tmp_path, {path: text.decode()})
    assert build_graph(read_workspace(tmp_path)).tiers == {"core": 0, "web": 1, "api": 2}
    unclear, refused = [], 0
    for _ in range(rounds):
        path = chance.choice(sorted(CORPUS))
        mutated = mutate_dockerfile(CORPUS[path], chance)
        (tmp_path / path).write_bytes(mutated)
        try:
            build_graph(read_workspace(tmp_path))
        except OrchError as error:
            refused += 1
            if not (error.message and error.file and error.hint):
                unclear.append((str(error), error.hint, mutated))
        (tmp_path / path).write_bytes(CORPUS[path])
    assert not unclear
    assert rounds / 10 < refused < rounds * 9 / 10


def test_settings_are_proposed_for_mutated_dockerfiles(tmp_path: Path, rounds: int) -> None:
    chance = random.Random(7)
    for path, text in CORPUS.items():
        write_tree(tmp_path, {path: text.decode()})
    left_out = 0
    for _ in range(rounds // 5):
        path = chance.choice(sorted(CORPUS))
        (tmp_path / path).write_bytes(mutate_dockerfile(CORPUS[path], chance))
        proposal = propose(tmp_path, sorted(CORPUS), lambda *_: None)
        missing = len(CORPUS) - len(proposal.graph.images)
        assert missing <= len(proposal.undecided)
        left_out += missing
        (tmp_path / path).write_bytes(CORPUS[path])
    assert left_out > rounds / 50
