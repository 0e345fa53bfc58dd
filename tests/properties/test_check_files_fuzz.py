"""`orch check` over files with faults: whatever they hold, rules find something or nothing."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from orchestrator.checks.finding import Severity
from orchestrator.checks.hadolint import find_hadolint
from orchestrator.checks.reading import INVALID_FILE, read_subject
from orchestrator.checks.rule import NotRunError
from orchestrator.checks.rules import RULES
from orchestrator.checks.run import Checked, run_rules
from orchestrator.settings import read_settings
from tests.helpers import write_tree
from tests.mutations import put_pieces

SHORT, FULL = 500, 10_000

DOCKERFILE = """\
# syntax=docker/dockerfile:1
ARG TAG=latest TOKEN='abc'
FROM --platform=$BUILDPLATFORM core:${TAG} AS build
ENV A=1 \\
    # why
    API_KEY="s3cr3t x" PATH=/x:$PATH
LABEL a.b='c'
COPY --from=debian . /app
RUN --mount=type=cache,target=/root/.cache/pip \\
    apt-get update && (apt-get install -y "gcc" curl; pip3 install -r 'r.txt' flask==1) \\
 && rm -rf /var/lib/apt/lists/*
RUN <<EOF
python -m pip install --upgrade pip
EOF
FROM build
ADD https://example.com/x.bin /x
EXPOSE 8000/tcp 9000-9010 $PORT
HEALTHCHECK --interval=5s CMD ["curl", "-f", "http://localhost:8000/health"]
USER 1000:1000
"""
MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  containers:
  - name: api
    image: registry.example.com/team/api:1
    ports:
    - containerPort: 8000
    livenessProbe:
      httpGet: {path: /health, port: 8000}
"""
COMPOSE = """\
services:
  api: &api
    image: ${REGISTRY:-registry.example.com/team}/api
    ports: ["80:8000"]
    healthcheck: {test: "curl http://127.0.0.1:8000/health"}
  other: {<<: *api, image: PLACEHOLDER/api}
"""
VALUES = "image:\n  registry: registry.example.com\n  repository: team/api\n  tag: latest\n"
CORPUS = {
    "services/api/Dockerfile": DOCKERFILE,
    "deploy/api.yaml": MANIFEST,
    "compose.yaml": COMPOSE,
    "chart/values.yaml": VALUES,
    "k/kustomization.yaml": "images:\n- name: api\n  newName: b\n  newTag: '1'\n",
}
AROUND = {
    "orch.toml": 'registry = "registry.example.com/team"\n',
    "base/core/Dockerfile": "FROM debian:bookworm\nHEALTHCHECK NONE\n",
    "constraints.txt": "flask==3.1.0\n",
}
WORDS = r"""& * | > - ? : # ' " { } [ ] , << !x &a *a {{ }} $ ${ ${X:-y} \ ` = == <<EOF && ; ( ) 0
99999 FROM ARG ENV RUN COPY ADD USER EXPOSE LABEL HEALTHCHECK NONE ONBUILD AS --from= --mount= pip
install -r apt-get update rm image image: containers: ports: services: http://[ :// @
http://localhost:99999 sha256: latest PLACEHOLDER <x> core api registry.example.com/team/ #
orch: ignore[x]"""
PIECES = (
    *WORDS.split(),
    *("\n", "\r\n", "\r", "\t", " ", "\\\n", "\n---\n", "\n- ", ": ", " #", "\0", "\x85", "\u2028"),
    *("\ufeff", "\u0130", "[" * 400, '"' * 301, "a" * 9000, "RUN x\n" * 40, "{a: " * 400),
)


def mutate(text: str, chance: random.Random) -> str:
    return put_pieces(text, PIECES, chance, most=6)


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Have no hadolint: it would be started in each round, and has tests of its own."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(NotRunError):
        find_hadolint()


def checked(root: Path) -> Checked:
    subject = read_subject(read_settings(root), lambda graph: graph.images)
    return run_rules(subject, RULES, "2026-01-01")


def test_mutated_files_are_checked_to_the_end(tmp_path: Path, rounds: int) -> None:
    chance = random.Random(20260104)
    write_tree(tmp_path, {**AROUND, **CORPUS})
    sound = checked(tmp_path)
    assert not any(one.rule == INVALID_FILE for one in sound.findings)
    assert {"deployed-placeholder", "compiler-in-image"} <= {one.rule for one in sound.findings}
    ids = {one.id for one in RULES}
    broken, differing = 0, 0
    for _ in range(rounds):
        path = chance.choice(sorted(CORPUS))
        (tmp_path / path).write_text(mutate(CORPUS[path], chance), "utf-8", newline="")
        found = checked(tmp_path).findings
        assert all(one.rule in ids and one.message for one in found)
        assert all(one.region is None or one.region.line >= 1 for one in found)
        broken += any(one.rule == INVALID_FILE for one in found)
        differing += found != sound.findings
        (tmp_path / path).write_text(CORPUS[path], "utf-8")
    assert broken > rounds / 50
    assert differing > rounds / 3


def test_files_of_random_bytes_are_checked_to_the_end(tmp_path: Path, rounds: int) -> None:
    chance = random.Random(5)
    write_tree(tmp_path, {**AROUND, **CORPUS})
    for _ in range(rounds // 10):
        for path in CORPUS:
            (tmp_path / path).write_bytes(b"image" + chance.randbytes(chance.randrange(300)))
        found = checked(tmp_path).findings
        assert {one.severity for one in found if one.rule == INVALID_FILE} <= {Severity.ERROR}
