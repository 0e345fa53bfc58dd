"""Deployment files with faults: there are images or a note, and both parsers see one tree."""

from __future__ import annotations

import random
from typing import Any

from orchestrator.deployments import read_deployment
from orchestrator.deployments.documents import parse_fully
from orchestrator.deployments.editing import pin_images
from orchestrator.deployments.pinning import ConflictError, Pinned
from orchestrator.deployments.plain import parse_plain
from orchestrator.deployments.tree import Node, Shape
from tests.deployments import FILES
from tests.mutations import put_pieces

SHORT, FULL = 1_000, 10_000
DIGEST = f"sha256:{'5' * 64}"

OBJECT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: api  # of the platform
spec:
  containers:
  - name: api
    image: "registry.example.com/team/api:1.2"
    command: ["sh", '-c', go]
    ports:
      - containerPort: 8000
        name: http
    env: []
  - image: other:1
    livenessProbe:
      httpGet:
        path: /health
        port: http
"""
COMPOSE = """\
x-a: &a {image: one}
services:
  one: {<<: *a}
  two:
    image: two:${TAG}
    ports:
    - 80:90
    - "1"
"""
VALUES = "image:\n  repository: team/api\n  tag: '1'\n  x: {}\nlist:\n- image: a\n"
CORPUS = {"a.yaml": OBJECT, "compose.yaml": COMPOSE, "values.yaml": VALUES}
WORDS = """& * &a *a !x !!str | > >- - ? % @ ` ' " # [ ] { } , : << ~ = ( \\ . .. $ 0 null %YAML"""
PIECES = (
    *WORDS.split(),
    *(" ", "  ", "- ", ": ", " #", "\n", "\n\n", "\n  x", "\n- y", "\n-", "\r\n", "\t", "\0", "? "),
    *("\n---\n", "\n...\n", "a: b", "- a: b", "{{ x }}", "\u2028", "\ufeff", "\x85", "\u00e9"),
    *("[" * 900, "{a: " * 900, "- " * 900, '"' * 301, "&a " * 300, "image"),
)


def mutate(text: str, chance: random.Random) -> str:
    return put_pieces(text, PIECES, chance, most=4)


def shown(node: Node | None) -> Any:
    """Return a tree as plain values, its scalars with their places."""
    if node is None or node.shape is Shape.SCALAR:
        return node and (node.text, *((node.start, node.end) if node.text else ()))
    if node.shape is Shape.SEQUENCE:
        return [shown(element) for element in node.elements]
    return {"pairs": [(shown(key), shown(value)) for key, value in node.pairs]}


def test_mutated_files_name_images_at_their_place_or_say_why_not(rounds: int) -> None:
    chance = random.Random(20260102)
    read, noted = 0, 0
    for _ in range(rounds):
        path = chance.choice(sorted(CORPUS))
        text = mutate(CORPUS[path], chance)
        file = read_deployment(path, text)
        read += bool(file.uses)
        noted += bool(file.notes)
        assert all(note.text and note.line >= 1 for note in file.notes)
        for part in (part for use in file.uses for part in use.written):
            line = text[part.span.start - part.span.column + 1 : part.span.start]
            assert "\n" not in line
            assert part.text.split()[0][:1] in text[part.span.start : part.span.end]
    assert read > rounds / 10
    assert noted > rounds / 5


def test_both_parsers_read_one_tree_where_both_read(rounds: int) -> None:
    chance = random.Random(20260103)
    both = 0
    for _ in range(rounds * 4):
        text = mutate(OBJECT, chance)
        if "\n---" in text or "\n..." in text or (plain := parse_plain(text, 7)) is None:
            continue
        both += 1
        assert shown(plain) == shown(parse_fully(text, 7).root), text
    assert both > rounds / 20


def test_images_put_into_mutated_files_are_there_once_and_change_no_other(rounds: int) -> None:
    chance, corpus = random.Random(5), [*CORPUS.items(), *FILES.items()]
    edited = 0
    for _ in range(rounds // 4):
        path, whole = chance.choice(corpus)
        text = mutate(whole, chance)
        file = read_deployment(path, text)
        pins = {
            use: Pinned(
                "127.0.0.1:5000", f"team/{n % 2}", chance.choice(("1.4", "on", "v1")), DIGEST
            )
            for n, use in enumerate(file.uses)
            if chance.random() < 0.7
        }
        try:
            found = pin_images(file, text, pins)
        except ConflictError:  # they share an anchor
            continue
        if found.broken:
            continue
        edited += found.text != text
        again = read_deployment(path, found.text)
        assert [use.reference for use in again.uses] == list(found.references.values())
        settled = {
            now: pins[was] for was, now in zip(file.uses, again.uses, strict=True) if was in pins
        }
        assert pin_images(again, found.text, settled).text == found.text, text
    assert edited > rounds // 20
