"""What went wrong in a build, from what buildx said: where, what, and whether it may pass."""

from __future__ import annotations

import re
from collections.abc import Sequence

from orchestrator.errors import BuildError, OrchError, OutOfSpaceError, UnreachableError

_WIDEST = 500
"""What of a line is shown, in characters."""
_PLACE = re.compile(r"^\S.*:(\d+)$")
_ERROR = re.compile(r"^(?:ERROR|error): (?:failed to (?:build|solve): )*(.+)$")
_PARSE = re.compile(r"parse error (?:(?:on|at|in) )?line (\d+)", re.IGNORECASE)
_RUN = re.compile(r'process "(?:/bin/sh -c )?(.*)" did not complete successfully: (.*)', re.DOTALL)
_PASSING = re.compile(
    r"i/o timeout|TLS handshake timeout|connection (?:reset by peer|refused|timed out)"
    r"|no route to host|network is unreachable|temporary failure (?:in name resolution|resolving)"
    r"|could not resolve host|no such host|net/http: request canceled|unexpected EOF"
    r"|too many requests|toomanyrequests|(?:502 bad|503 service|504 gateway)"
    r"|service unavailable|connection broken|read timed out|remote end closed connection",
    re.IGNORECASE,
)
_FULL = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
_GONE = re.compile(
    r"cannot connect to the docker daemon|error reading from server|transport is closing"
    r"|code = unavailable|no builder .* found|closing transport|failed to dial|broken pipe"
    r"|server closed the stream|listing workers for build|connection error: desc",
    re.IGNORECASE,
)


def find_failure(file: str, said: Sequence[str], output: Sequence[str], hint: str) -> OrchError:
    """Return the error of a build; `said` is what buildx wrote, `output` the step's last lines.

    The error names the Dockerfile's line where buildx does. A fault of the network may pass; a
    full disk is told from either.
    """
    message, line = _message(said)
    run = _RUN.fullmatch(message)
    if run:
        message = f"RUN {run[1]}: {run[2]}"
    shown = "".join(f"\n  | {_clipped(text)}" for text in output)
    passing = _PASSING.search("\n".join([message, *output]))
    kind: type[OrchError] = UnreachableError if passing else BuildError
    if is_out_of_space([message, *output]):
        kind = OutOfSpaceError
    return kind(message + shown, file=file, line=line, hint=hint)


def _clipped(line: str) -> str:
    return line if len(line) <= _WIDEST else f"{line[:_WIDEST]}..."


def is_out_of_space(said: Sequence[str]) -> bool:
    """Tell whether a disk was full, by what buildx or a step wrote."""
    return _FULL.search("\n".join(said)) is not None


def lost_engine(said: Sequence[str]) -> bool:
    """Tell whether buildx lost its builder, by what it wrote."""
    return _GONE.search("\n".join(said)) is not None


def _message(said: Sequence[str]) -> tuple[str, int | None]:
    errors = [match[1] for text in said if (match := _ERROR.match(text))]
    message = errors[-1] if errors else "\n".join(said[-3:]) or "buildx said nothing"
    parse = _PARSE.search(message)
    if parse:
        return message, int(parse[1])
    for text, following in zip(said, [*said[1:], ""], strict=True):
        place = _PLACE.match(text)
        if place and following.startswith("-----"):
            return message, int(place[1])
    return message, None
