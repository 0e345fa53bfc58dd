"""Verifications as the history remembers them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from orchestrator import logs
from orchestrator.app.opened import Opened
from orchestrator.app.recording import remember
from orchestrator.app.verifying import VerifyRun
from orchestrator.head import head_commit
from orchestrator.history import Kind, PastImage, PastRun, Result
from orchestrator.verify import gate
from orchestrator.verify.gates import Verified


def remember_verification(opened: Opened, run: VerifyRun) -> list[str]:
    """Log what came of images, and write a verification into the history, as `remember` does."""
    images = [_past_image(image) for image in run.images]
    _log(images)
    images += [PastImage(name, "", "unavailable", why) for name, why in run.unavailable.items()]
    return remember(
        opened,
        PastRun(
            logs.run_id(),
            Kind.VERIFY,
            datetime.now(UTC) - timedelta(seconds=run.duration_s),
            round(run.duration_s, 3),
            Result.DONE if run.ok else Result.FAILED,
            head_commit(opened.paths.root),
            images=tuple(images),
        ),
    )


def _log(images: list[PastImage]) -> None:
    for past in images:
        logs.event(
            "image.verified",
            image=past.name,
            status=past.status,
            digest=past.digest,
            because=past.because,
        )


def remember_interrupted(opened: Opened, began: datetime) -> list[str]:
    """Write into the history that a verification was interrupted: of no image it is known."""
    took_s = round((datetime.now(UTC) - began).total_seconds(), 3)
    commit = head_commit(opened.paths.root)
    past = PastRun(logs.run_id(), Kind.VERIFY, began, took_s, Result.INTERRUPTED, commit)
    return remember(opened, past)


def _past_image(image: Verified) -> PastImage:
    failed = ", ".join(item.gate.id for item in image.with_result(gate.Result.FAILED))
    subject = image.subject
    return PastImage(
        image.name,
        image.platform.key,
        "passed" if image.ok else "failed",
        str(image.error or failed),
        digest=subject.digest if subject else "",
        size_bytes=sum(layer.size_bytes for layer in subject.layers) if subject else 0,
        unpacked_bytes=subject.unpacked_bytes if subject else 0,
        attempts=1,
    )
