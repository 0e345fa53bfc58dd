"""Texts as nobody would write them, by chance: what parsers must bear."""

from __future__ import annotations

import random
from collections.abc import Sequence

_WORDS = rb"""$ ${ } ${X:-y} ${X:+ ${X#p} $1 << <<E <<-'E' " ' \ ` = @ : / -- [ ] , # --from=
--from=$X --mount= --mount=from=web --mount=type=bind,from --platform= FROM AS ARG ONBUILD COPY
scratch core web api core:1 $TARGETARCH 0 99999999999999999999 escape=` RUN"""
_DOCKERFILE_PIECES = (
    *_WORDS.split(),
    *(b"\n", b"\r\n", b"\t", b" ", b"\\\n", b"`\n", b"\n\n", b"\0", b"\x0b", b"\xa0", b"\xff"),
    *(text.encode() for text in ("\u017f", "\u0130", "\u2028", "\ufeff", "\u00b2")),
    *(b"${X:-" * 3000, b'"' * 301, b"[" * 5000, b"a" * 9000, b"FROM x AS y\n" * 40),
)


def mutate_dockerfile(text: bytes, chance: random.Random) -> bytes:
    """Change bytes, words and lines of a text, up to eight times."""
    for _ in range(chance.randint(1, 8)):
        lines = text.split(b"\n")
        one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
        match chance.randrange(8):
            case 0:
                del lines[one]
            case 1:
                lines.insert(one, lines[other])
            case 2:
                lines[one], lines[other] = lines[other], lines[one]
            case 3:
                words = lines[one].split(b" ")
                chance.shuffle(words)
                lines[one] = b" ".join(words)
            case 4:
                lines[one:] = lines[one : one + 1]
            case _:
                line, piece = lines[one], chance.choice(_DOCKERFILE_PIECES)
                at, gone = chance.randrange(len(line) + 1), chance.choice((0, 0, 1, 3, 20))
                lines[one] = line[:at] + piece + line[at + gone :]
        text = b"\n".join(lines)
    return text


def put_pieces(text: str, pieces: Sequence[str], chance: random.Random, *, most: int) -> str:
    """Put pieces into a text, in the place of some characters, up to `most` times."""
    for _ in range(chance.randint(1, most)):
        at, gone = chance.randrange(len(text) + 1), chance.choice((0, 0, 0, 1, 3, 20))
        text = text[:at] + chance.choice(pieces) + text[at + gone :]
    return text
