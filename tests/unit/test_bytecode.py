"""Bytecode holds no time, loads in its interpreter, and is equal however it was made."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.engines.assembler import bytecode, compile_worker
from orchestrator.engines.assembler.bytecode import Compiler, Compilers, Interpreter, pyc_path
from orchestrator.errors import AssemblyError

HOST = Interpreter((sys.executable,), ".".join(map(str, sys.version_info[:3])))
SOURCE = (
    b'"""Doc."""\nNAMES = {"a", "b", "c", "d"}\n\n\ndef f(x):\n    return x in {"p", "q", "r"}\n'
)


def compiled(sources: list[tuple[str, bytes]]) -> dict[str, bytes]:
    with Compiler(HOST) as compiler:
        return dict(compiler.compile(sources))


def test_a_pyc_is_hash_based_and_unchecked() -> None:
    pyc = compiled([("/opt/a.py", SOURCE)])["/opt/a.py"]
    assert pyc[:4] == importlib.util.MAGIC_NUMBER
    assert pyc[4:8] == b"\1\0\0\0"
    assert pyc[8:16] == importlib.util.source_hash(SOURCE)


def test_a_pyc_is_loaded_without_its_source(tmp_path: Path) -> None:
    pyc = compiled([("/opt/venv/greet.py", b"import sys\nsys.stdout.write(__name__)\n")])
    (tmp_path / "greet.pyc").write_bytes(pyc["/opt/venv/greet.py"])
    command = [sys.executable, "-c", "import greet"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "greet"


def test_a_pyc_names_the_source_by_its_path_in_the_image(tmp_path: Path) -> None:
    pyc = compiled([("/opt/venv/boom.py", b"raise ValueError\n")])
    (tmp_path / "boom.pyc").write_bytes(pyc["/opt/venv/boom.py"])
    command = [sys.executable, "-c", "import boom"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert 'File "/opt/venv/boom.py", line 1' in done.stderr


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_hash_seed_of_this_process_does_not_reach_a_pyc(seed: str) -> None:
    code = (
        "import sys;from orchestrator.engines.assembler.bytecode import *;"
        "c=Compiler(Interpreter((sys.executable,),'3'));"
        "print(dict(c.compile([('/a.py',sys.stdin.buffer.read())]))['/a.py'].hex());c.close()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=SOURCE,
        env={**os.environ, "PYTHONHASHSEED": seed, "TZ": "Asia/Tokyo"},
        capture_output=True,
        check=True,
    )
    assert bytes.fromhex(done.stdout.decode()) == compiled([("/a.py", SOURCE)])["/a.py"]


def test_settings_of_this_machines_python_do_not_reach_the_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = compiled([("/a.py", SOURCE)])
    (tmp_path / "struct.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONOPTIMIZE", "2")
    assert compiled([("/a.py", SOURCE)]) == plain


def test_what_was_compiled_before_does_not_reach_a_pyc() -> None:
    others = [(f"/o{n}.py", b"import os\nNAMES = {'a', 'p'}\nx = 'NAMES'\n" * n) for n in range(9)]
    alone = compiled([("/a.py", SOURCE)])["/a.py"]
    assert compiled([*others, ("/a.py", SOURCE)])["/a.py"] == alone
    assert compiled([("/a.py", SOURCE), *others])["/a.py"] == alone


@pytest.mark.parametrize(
    "source",
    [b"def f(:\n", b"print 'two'\n", b"x = '\xff'\n", b"a\0b\n", b"(" * 3000, b"# coding: nope\n"],
)
def test_a_source_that_does_not_compile_is_left_out(source: bytes) -> None:
    sources = [("/bad.py", source), ("/good.py", b"x = 1\n")]
    assert [*compiled(sources)] == ["/good.py"]


def test_a_source_that_compiles_with_a_warning_is_compiled() -> None:
    assert compiled([("/a.py", b"x = '\\d'\nx is 1\n" * 5000)])


def test_an_empty_source_has_bytecode() -> None:
    assert compiled([("/a/__init__.py", b"")])["/a/__init__.py"]


def test_the_order_is_kept() -> None:
    sources = [(f"/{name}.py", b"") for name in "zebra"]
    assert [*compiled(sources)] == [path for path, _ in sources]


def test_an_interpreter_that_does_not_start_says_how_to_do_without() -> None:
    with pytest.raises(AssemblyError, match="does not start") as caught:
        Compiler(Interpreter(("/no/such/python",), "3.11.2"))
    assert "bytecode = false" in caught.value.hint


def test_an_interpreter_that_ends_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho broken library >&2\nexit 3\n")
    script.chmod(0o755)
    sources = [("/a.py", b"x = 1\n" * 100_000)]
    with (
        pytest.raises(AssemblyError, match="broken library"),
        Compiler(Interpreter((str(script),), "3.11.2")) as compiler,
    ):
        list(compiler.compile(sources))


def test_bytecode_stands_where_the_interpreter_looks_for_it() -> None:
    interpreter = Interpreter((), "3.12.4")
    assert pyc_path("/opt/a.b/c.py", interpreter) == "/opt/a.b/__pycache__/c.cpython-312.pyc"
    expected = importlib.util.cache_from_source("/opt/a.py")
    assert pyc_path("/opt/a.py", HOST) == expected


def test_the_worker_compiles_as_the_interpreter_itself_would() -> None:
    pyc = compile_worker.compile_source("/a.py", SOURCE)
    assert pyc == compiled([("/a.py", SOURCE)])["/a.py"]
    assert bytecode.Interpreter((), "3.11.2").cache_tag == "cpython-311"


def test_a_compiler_is_lent_again_and_ended_in_the_end() -> None:
    compilers = Compilers()
    with compilers.lend(HOST) as first, compilers.lend(HOST) as second:
        assert first is not second
    with compilers.lend(HOST) as third:
        assert third in {first, second}
    compilers.close()
    assert third is not None
    with pytest.raises(ValueError, match="closed"):
        list(third.compile([("/a.py", b"")]))
    with compilers.lend(HOST) as fresh:
        assert fresh is not third
    compilers.close()


def test_a_compiler_whose_job_failed_is_not_lent_again() -> None:
    compilers = Compilers()
    with contextlib.suppress(RuntimeError), compilers.lend(HOST) as failed:
        raise RuntimeError("no")
    with compilers.lend(HOST) as compiler:
        assert compiler is not failed
    compilers.close()


def test_without_an_interpreter_no_compiler_is_lent() -> None:
    with Compilers().lend(None) as compiler:
        assert compiler is None
