"""One image as a task of Dask's: what is sent to a worker, done there in a process, and said.

A worker shares nothing with others but the registry. The process ends when the worker does, so
that nobody builds for a run that is over.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from orchestrator import __version__
from orchestrator.cluster.parcel import Parcel
from orchestrator.errors import disk_error

Result = dict[str, Any]
"""What came of a job: `status`, and an image of `orch.build/1`; neither if it was not tried."""

_STOP_WITHIN_S = 60
_SAID = 2000
_running: defaultdict[str, set[subprocess.Popen[bytes]]] = defaultdict(set)
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker is to do; `fingerprint` is what the image is to be made from."""

    run: str
    image: str
    platform: str
    fingerprint: str
    builders: tuple[str, ...] = ()
    jobs: int = 0
    retries: int = 0
    force: bool = False
    version: str = __version__


def run_job(job: Job, parcel: Parcel, *parents: Result) -> Result:
    """Build an image in a process of its own and publish it; called by Dask, on a worker.

    Nothing is tried unless all parents are there. What fails is told, and not raised: what does
    not stand on it goes on.
    """
    from distributed import get_worker  # noqa: PLC0415 - only workers and clients have it

    if not all(parent.get("status") in {"built", "reused"} for parent in parents):
        return {}
    worker = get_worker()
    worker.log_event(topic_of(job.run), {"image": job.image})
    if job.version != __version__:
        return failure(
            f"the worker {worker.address} has orch {__version__}, and this is {job.version}",
            f'on the worker: pip install "orchestrator[dask]=={job.version}"',
        )
    try:
        result = _carry_out(job, parcel.unpack(Path(worker.local_directory, "orch-workspaces")))
    except OSError as error:
        told = disk_error(error)
        result = failure(str(told), told.hint)
    if result.get("error"):
        result["error"]["message"] += f" (on {worker.address})"
    return result


def stop_jobs(run: str) -> None:
    """End the jobs of a run on this worker: their processes see that nobody holds them."""
    with _lock:
        processes = _running.pop(run, set())
    for process in processes:
        _pipe(process.stdin).close()


def topic_of(run: str) -> str:
    """Return the topic under which workers tell that a job of a run began."""
    return f"orch-{run}"


def failure(message: str, hint: str) -> Result:
    """Return the result of a job that could not even be begun."""
    return {"status": "failed", "error": {"message": message, "hint": hint}}


def _carry_out(job: Job, root: Path) -> Result:
    command = [sys.executable, "-m", "orchestrator.cluster.work"]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            start_new_session=True,
        )
        with _lock:
            _running[job.run].add(process)
        try:
            request = json.dumps({**asdict(job), "root": str(root)})
            _pipe(process.stdin).write(f"{request}\n".encode())
            _pipe(process.stdin).flush()
            answer = _pipe(process.stdout).read()
            process.wait(_STOP_WITHIN_S)
        except (OSError, ValueError, subprocess.TimeoutExpired):  # ended, or told to stop
            process.kill()
            answer = b""
        finally:
            with _lock:
                _running[job.run].discard(process)
            process.wait()
        try:
            result: Result = json.loads(answer)
        except ValueError:
            said.seek(0)
            last = said.read()[-_SAID:].decode("utf-8", "replace").strip()
            return failure(f"the job ended with {process.returncode}: {last}", "run it again")
        return result


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None, "it was asked for"  # noqa: S101 - for the type checker
    return pipe
