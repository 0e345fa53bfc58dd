"""Pushes as the history remembers them."""

from __future__ import annotations

from orchestrator import logs
from orchestrator.app.opened import Opened
from orchestrator.app.pushing import PushRun
from orchestrator.app.recording import remember
from orchestrator.head import head_commit
from orchestrator.history import Kind, PastImage, PastRun, Result
from orchestrator.publish.outgoing import Pushed, PushStatus, Transfer
from orchestrator.publish.registry import BlobInfo


def remember_push(opened: Opened, run: PushRun) -> list[str]:
    """Log what came of images, and write a push into the history, as `remember` does.

    Not one that only asked.
    """
    if run.is_dry:
        return []
    _log(run.images)
    sent, there = _bytes(run.images)
    images = [_past_image(pushed) for pushed in run.images]
    images += [
        PastImage(name, "", PushStatus.UNAVAILABLE.value, why)
        for name, why in run.unavailable.items()
    ]
    return remember(
        opened,
        PastRun(
            logs.run_id(),
            Kind.PUSH,
            run.started,
            round(run.duration_s, 3),
            _result(run),
            head_commit(opened.paths.root),
            round(there / (sent + there), 4) if sent + there else None,
            saved_bytes=there,
            images=tuple(images),
        ),
    )


def _log(images: list[Pushed]) -> None:
    for pushed in images:
        logs.event(
            "image.pushed",
            image=pushed.image.name,
            status=pushed.status.value,
            digest=pushed.digest,
            duration_s=round(pushed.duration_s, 3),
        )


def _past_image(pushed: Pushed) -> PastImage:
    platforms = pushed.image.platforms
    return PastImage(
        pushed.image.name,
        ", ".join(item.platform.key for item in platforms),
        pushed.status.value,
        str(pushed.error or ""),
        platforms[0].fingerprint if len(platforms) == 1 else "",
        pushed.digest,
        pushed.image.size_bytes,
        duration_s=round(pushed.duration_s, 3),
        attempts=1,
    )


def _bytes(images: list[Pushed]) -> tuple[int, int]:
    """Return the bytes of blobs that were sent, and of those that were there; each blob once."""
    sent: set[BlobInfo] = set()
    there: set[BlobInfo] = set()
    for pushed in images:
        if pushed.status is PushStatus.UNCHANGED:
            there |= set(pushed.image.blobs)
        for blob, how in pushed.blobs.items():
            (sent if how is Transfer.UPLOADED else there).add(blob)
    return (
        sum(blob.size_bytes for blob in sent),
        sum(blob.size_bytes for blob in there - sent),
    )


def _result(run: PushRun) -> Result:
    if run.was_interrupted:
        return Result.INTERRUPTED
    if not run.ok:
        return Result.FAILED
    moved = any(pushed.status is PushStatus.PUSHED for pushed in run.images)
    return Result.DONE if moved else Result.UNCHANGED
