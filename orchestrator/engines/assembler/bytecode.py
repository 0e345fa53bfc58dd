"""Compiling Python sources with the image's own interpreter, in a process beside this one."""

from __future__ import annotations

import contextlib
import struct
import subprocess
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from orchestrator.engines.assembler import compile_worker
from orchestrator.errors import AssemblyError

_FRAME = struct.Struct("<LL")
_LENGTH = struct.Struct("<L")
_OPTIONS = ("-S", "-s", "-B", "-X", "utf8", "-W", "ignore")
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "PYTHONHASHSEED": "0", "LC_ALL": "C"}


@dataclass(frozen=True, slots=True)
class Interpreter:
    """How an interpreter is started, and what its bytecode depends on.

    `version` is the full upstream version, `3.11.2`; it is part of the key of what it makes.
    """

    command: tuple[str, ...]
    version: str

    @property
    def cache_tag(self) -> str:
        """Return the tag in the names of its bytecode files: `cpython-311` (PEP 3147)."""
        return "cpython-" + "".join(self.version.split(".")[:2])


class Compiler:
    """A running interpreter that compiles sources; a context manager."""

    def __init__(self, interpreter: Interpreter) -> None:
        self.interpreter = interpreter
        worker = Path(compile_worker.__file__)
        try:
            self._process = subprocess.Popen(
                [*interpreter.command, *_OPTIONS, str(worker)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_ENVIRONMENT,
                process_group=0,  # Ctrl-C is for the main process, which ends this one in order
            )
        except OSError as error:
            raise AssemblyError(
                f"the interpreter {interpreter.command[-1]} does not start: {error}",
                hint="set bytecode = false in the recipe to do without it",
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def compile(self, sources: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
        """Compile sources, given with their absolute path in the image.

        Yields path and pyc, in order; sources that do not compile are left out.

        Raises:
            AssemblyError: The interpreter ended.
        """
        for path, source in sources:
            if pyc := self._compile(path.encode(), source):
                yield path, pyc

    def close(self) -> None:
        """End the interpreter."""
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):  # it ended before it read everything
                    stream.close()
        self._process.wait()

    def _compile(self, path: bytes, source: bytes) -> bytes:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:  # pragma: no cover - they are pipes
            raise AssemblyError("the interpreter has no pipes")
        try:
            stdin.write(_FRAME.pack(len(path), len(source)))
            stdin.write(path)
            stdin.write(source)
            stdin.flush()
            head = stdout.read(_LENGTH.size)
        except BrokenPipeError:
            head = b""
        if len(head) < _LENGTH.size:
            raise self._ended(path)
        size = _LENGTH.unpack(head)[0]
        pyc = stdout.read(size)
        if len(pyc) < size:
            raise self._ended(path)
        return pyc

    def _ended(self, path: bytes) -> AssemblyError:
        message = b""
        if self._process.stderr is not None:
            message = self._process.stderr.read()[-500:]
        return AssemblyError(
            f"the image's interpreter ended while compiling {path.decode()}: "
            f"{message.decode(errors='replace').strip()}",
            hint="set bytecode = false in the recipe to do without it",
        )


class Compilers:
    """Running interpreters, lent to one job at a time; threads may share this."""

    def __init__(self) -> None:
        self._idle: dict[Interpreter, list[Compiler]] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def lend(self, interpreter: Interpreter | None) -> Iterator[Compiler | None]:
        """Lend a compiler, or None for no interpreter; one whose job fails is ended.

        Raises:
            AssemblyError: The interpreter does not start.
        """
        if interpreter is None:
            yield None
            return
        with self._lock:
            idle = self._idle.setdefault(interpreter, [])
            compiler = idle.pop() if idle else None
        compiler = compiler or Compiler(interpreter)
        try:
            yield compiler
        except BaseException:
            compiler.close()
            raise
        with self._lock:
            self._idle.setdefault(interpreter, []).append(compiler)

    def close(self) -> None:
        """End the interpreters that are not lent."""
        with self._lock:
            idle, self._idle = self._idle, {}
        for compilers in idle.values():
            for compiler in compilers:
                compiler.close()


def pyc_path(source: str, interpreter: Interpreter) -> str:
    """Return where the bytecode of a source belongs (PEP 3147)."""
    folder, _, name = source.rpartition("/")
    return f"{folder}/__pycache__/{name.removesuffix('.py')}.{interpreter.cache_tag}.pyc"
