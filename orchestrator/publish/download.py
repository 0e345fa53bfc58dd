"""One blob on its way here, resumed where it broke off."""

from __future__ import annotations

from dataclasses import replace
from typing import BinaryIO

from orchestrator.publish.connections import BrokenOffError, breaking_off, read_answer
from orchestrator.publish.exchange import PASSING, Request, retry_after_s
from orchestrator.publish.registry import PAST_PROXIES, RegistryUnreachableError, VerificationError
from orchestrator.publish.wire import Wire


def download(wire: Wire, request: Request, out: BinaryIO, size_bytes: int = 0) -> None:
    """Write an answer's body to a file, resuming it where it broke off.

    No more is written than `size_bytes`, where that is known.

    Source: OCI distribution specification 1.1, "Pulling blobs"; RFC 9110, 14.2 "Range".

    Raises:
        RefusedError: The answer is no file.
        VerificationError: It is longer than it may be.
        RegistryError: As for `Wire.send`.
    """
    error = RegistryUnreachableError("")
    for attempt in range(wire.attempts):
        if attempt:
            wire.retries[request.repository] += 1
            wire.pause(attempt, error)
        try:
            status, after_s = _download_rest(wire, request, out, size_bytes)
        except BrokenOffError as problem:
            error = wire.unreachable(request, str(problem))
            continue
        if status not in PASSING:
            return
        error = wire.unreachable(request, f"answers {status}", after_s)
    raise error


def _download_rest(
    wire: Wire, request: Request, out: BinaryIO, size_bytes: int
) -> tuple[int, float | None]:
    done = out.tell()
    ranged = {"Range": f"bytes={done}-"} if done else {}
    headers = {**request.headers, "Accept-Encoding": "identity", **ranged}
    with wire.opened(replace(request, headers=headers)) as response:
        if response.status_code not in {200, 206}:
            answer = read_answer(response)
            if answer.status not in PASSING:
                raise wire.refused(request, answer)
            return answer.status, retry_after_s(answer)
        if response.status_code == 200:
            out.seek(0)
            out.truncate()
        with breaking_off(response.url.netloc.decode()):
            for chunk in response.iter_raw():
                wire.check_wanted()
                out.write(chunk)
                if size_bytes and out.tell() > size_bytes:
                    raise VerificationError(
                        f"{request.where} is answered with more than its {size_bytes} bytes",
                        hint="a proxy or the registry altered it, and nothing was kept; "
                        + PAST_PROXIES,
                    )
    return response.status_code, None
