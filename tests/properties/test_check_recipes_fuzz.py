"""`orch check` over recipes, requirements and settings with faults: findings, or an error."""

from __future__ import annotations

import random
from pathlib import Path

from orchestrator.errors import OrchError
from orchestrator.report.sarif import sarif_document
from tests.helpers import write_lock, write_tree
from tests.mutations import mutate_dockerfile
from tests.rule_cases import API, ASKS, BASE, BASE_ASKS, SERVICE, SETTINGS, check
from tests.sarif import check_sarif

SHORT, FULL = 500, 10_000

RECIPE = f"""# orch: ignore[no-healthcheck, unused-base] a reason
{SERVICE}
[config.env]
DB_PASSWORD = "${{DB_PASSWORD}}"
CUDA_VERSION = "12.9.1"
[config.labels]
"com.example.token" = "hunter2horse"
[gates]
start-within = "30s"
max-size = "0 MB"
"""
REQUIREMENTS = """\
# what the service needs
uvicorn[standard]>=0.3; python_version < '3.11'
torch==2.4.0+cu121  # orch: ignore[requirement-in-base] its own
numpy <2, \\
  >=1
-r more.txt
"""
CORPUS = {
    "orch.toml": SETTINGS + "[buildkit.build-args]\nAPI_TOKEN = 'hunter2horse'\n"
    "[[checks.exceptions]]\nrule = 'unused-base'\nreason = 'r'\nuntil = '2026-01-01'\n",
    BASE: 'from = "debian:bookworm"\ndeprecated = "x"\n[system]\npackages = ["gcc", "curl"]\n',
    BASE_ASKS: "numpy\ncupy-cuda11x==13\n",
    API: RECIPE,
    ASKS: REQUIREMENTS,
    "services/api/more.txt": "httpx==0.28.1\nhttpx\n",
    "services/api/pyproject.toml": '[project]\nrequires-python = ">=3.12"\n',
    "services/web/image.toml": SERVICE.replace("1000", "0").replace("8000/", "8001/"),
    "services/web/requirements.txt": "tomli==2.1\n",
    "base/old/image.toml": 'from = "docker.io/nvidia/cuda:12.9.1-base"\n',
    "constraints.txt": "numpy==2.4.6\nhttpx==0.28.0\nnothing==1\n",
}


def test_mutated_files_give_findings_or_an_error_with_a_message(
    tmp_path: Path, rounds: int
) -> None:
    chance = random.Random(20261120)
    write_tree(tmp_path, CORPUS)
    write_lock(tmp_path)
    texts = {path: (tmp_path / path).read_bytes() for path in (*CORPUS, "orch.lock")}
    refused: list[tuple[str, bool]] = []
    found: set[str] = set()
    for number in range(rounds):
        path = chance.choice(sorted(texts))
        (tmp_path / path).write_bytes(mutate_dockerfile(texts[path], chance))
        try:
            checked = check(tmp_path)
        except OrchError as error:
            refused.append((path, bool(error.message)))
        else:
            found |= {finding.rule for finding in checked.findings}
            document = sarif_document(checked, tmp_path)
            if number % 50 == 0:
                check_sarif(document)
        (tmp_path / path).write_bytes(texts[path])
    assert set(refused) == {("orch.toml", True)}, "what is broken elsewhere is a finding"
    assert len(refused) < rounds / 4
    assert len(found) > 15
