"""The heavy work of assembling, as functions that worker processes run."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import ParamSpec, TypeVar

from orchestrator.engines.assembler.bytecode import Compilers, Interpreter
from orchestrator.engines.assembler.deb.segment import write_deb_segment
from orchestrator.engines.assembler.store import Store
from orchestrator.engines.assembler.wheel.archive import WheelArchive
from orchestrator.engines.assembler.wheel.segment import (
    Venv,
    wheel_directories,
    write_wheel_segment,
)
from orchestrator.errors import AssemblyError
from orchestrator.model import LockedDeb
from orchestrator.oci.layer import Layer
from orchestrator.scratch import scratch_folder

P = ParamSpec("P")
T = TypeVar("T")

_compilers = Compilers()
_MOST_FOLDER_BYTES = 107 - len("/listener-12345678")
"""Of the path of a folder that sockets are made in: they would have no address (unix(7))."""


def make_deb_segment(
    store: Path, key: str, file: Path, deb: LockedDeb, interpreter: Interpreter | None
) -> None:
    """Make the segment of a Debian package; with bytecode, where an interpreter is given."""
    with _compilers.lend(interpreter) as compiler:
        Store(store).make_segment(
            key, lambda writer: write_deb_segment(file, deb, writer, compiler)
        )


def make_wheel_segment(
    store: Path, key: str, file: Path, name: str, venv: Venv, interpreter: Interpreter | None
) -> None:
    """Make the segment of a wheel; with bytecode, where an interpreter is given."""
    with _compilers.lend(interpreter) as compiler, WheelArchive(file, name) as archive:
        Store(store).make_segment(
            key, lambda writer: write_wheel_segment(archive, venv, writer, compiler)
        )


def make_wheel_layer(
    store: Path,
    key: str,
    file: Path,
    segment: str,
    what: str,
    name: str,
    venv: Venv,
    interpreter: Interpreter | None,
) -> tuple[Layer, ...]:
    """Make the layer of a wheel that has one to itself, in one go."""
    with _compilers.lend(interpreter) as compiler, WheelArchive(file, name) as archive:
        return Store(store).write_single(
            key,
            segment,
            wheel_directories(archive, venv, compiler),
            lambda writer: write_wheel_segment(archive, venv, writer, compiler),
            what,
        )


def join_segments(store: Path, key: str, segments: Sequence[str], what: str) -> tuple[Layer, ...]:
    """Make a layer of segments, or several where they share a path."""
    return Store(store).join_segments(key, segments, what)


class Workers:
    """Runs jobs in processes once started, and before that in the calling thread."""

    WORTH_STARTING_BYTES = 20_000_000
    """Compressed input from which starting processes costs less than it saves."""

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._pool: ProcessPoolExecutor | None = None

    def start(self) -> None:
        """Start the processes."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        _start_server()
        self._pool = ProcessPoolExecutor(self._processes, context, initializer=_begin_work)

    def submit(self, job: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Start a job, or run it now."""
        if self._pool is not None:
            return self._pool.submit(job, *args, **kwargs)
        future: Future[T] = Future()
        try:
            future.set_result(job(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - it is raised again by result()
            future.set_exception(error)
        return future

    def close(self) -> None:
        """Drop what has not begun, wait for what has, and end the processes."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        _compilers.close()


def result_of(future: Future[T]) -> T:
    """Wait for a job.

    Raises:
        AssemblyError: Its process was killed, for want of memory perhaps.
        Exception: Whatever the job raised.
    """
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise AssemblyError(
            "a worker process was killed",
            hint="most often memory ran out, which dmesg tells; orch build --jobs 1 needs less",
        ) from error


def _start_server() -> None:
    """Start the process that workers are forked from.

    It is run as `python -c`, which would import from the working folder first: there may be a
    package of the same name as ours. Ctrl-C is held off, as it would end a process that is
    still starting.
    """
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    _place_sockets()
    resource_tracker.ensure_running()  # it lets Ctrl-C through when it starts
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before


def _place_sockets() -> None:
    """Let the server's socket lie in a scratch folder, which stays for as long as this process.

    multiprocessing looks there before it makes a folder in the system's place for such.
    """
    table: dict[str, object] = vars(multiprocessing.current_process())["_config"]
    if "tempdir" in table:
        return
    held = ExitStack()
    folder = str(held.enter_context(scratch_folder()))
    if len(os.fsencode(folder)) <= _MOST_FOLDER_BYTES:
        table["tempdir"] = folder
        atexit.register(held.close)
    else:
        held.close()


def _begin_work() -> None:
    """Let Ctrl-C reach the main process alone, which ends the others in order, or with itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End with a main process that was killed: it can tell nobody, and workers wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
