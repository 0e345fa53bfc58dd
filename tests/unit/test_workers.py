"""Worker processes are those of this installation, wherever orch is started."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

_SCRIPT = """
from orchestrator.engines.assembler.jobs import Workers

if __name__ == "__main__":
    workers = Workers(1)
    workers.start()
    print(workers.submit(len, "abc").result())
    workers.close()
"""


_WHERE = """
import multiprocessing, pathlib, sys
from orchestrator.engines.assembler.jobs import Workers

if __name__ == "__main__":
    workers = Workers(1)
    workers.start()
    workers.submit(len, "abc").result()
    workers.close()
    (socket,) = pathlib.Path(sys.argv[1]).rglob("listener-*")
    print(socket.relative_to(sys.argv[1]).parts[0])
"""


@pytest.mark.parametrize(("more", "where"), [("", "cache"), ("c" * 100, "system")])
def test_the_socket_of_workers_is_in_a_scratch_folder_if_it_can_have_an_address_there(
    more: str, where: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's are long
        system, cache = Path(folder, "system"), Path(folder, f"cache/{more}")
        system.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", _WHERE, folder],
            env={**os.environ, "ORCH_CACHE": str(cache), "TMPDIR": str(system)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.stdout, done.stderr) == (f"{where}\n", "")
        assert list(system.iterdir()) == list((cache / "scratch").iterdir()) == []


def test_workers_import_nothing_from_the_working_folder(tmp_path: Path) -> None:
    script, folder = tmp_path / "script.py", tmp_path / "workspace"
    script.write_text(_SCRIPT)
    for name in ("orchestrator", "isal"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("raise SystemExit('imported')")
    done = subprocess.run(
        [sys.executable, str(script)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("3\n", 0), done.stderr
