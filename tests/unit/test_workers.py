"""Worker processes are those of this installation, wherever orch is started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_SCRIPT = """
from orchestrator.engines.assembler.jobs import Workers

if __name__ == "__main__":
    workers = Workers(1)
    workers.start()
    print(workers.submit(len, "abc").result())
    workers.close()
"""


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
