"""For each rule a workspace that breaks it, and one that nearly does and must pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.checks.reading import read_subject
from orchestrator.checks.registry import choose_rules
from orchestrator.checks.rules import RULES
from orchestrator.checks.run import Checked, run_rules
from orchestrator.lockfile import ImageLock
from orchestrator.select import Selection
from orchestrator.settings import read_settings
from tests.helpers import wheel_of, write_lock, write_tree

TODAY = "2026-11-20"
SETTINGS = "[debian]\nessential = []\n"
SERVICE = (
    'from = "core"\n[config]\nuser = "1000"\nexpose = ["8000"]\n'
    '[healthcheck]\nhttp = "http://127.0.0.1:8000/health"\n'
)
SOUND = {
    "orch.toml": SETTINGS,
    "base/core/image.toml": 'from = "debian:bookworm"\n',
    "services/api/image.toml": SERVICE,
}
"""A workspace in which nothing is found."""

API, BASE = "services/api/image.toml", "base/core/image.toml"
ASKS, BASE_ASKS = "services/api/requirements.txt", "base/core/requirements.txt"
EXTERNAL = f'from = "registry.example.com/python@sha256:{"0" * 64}"\n'
GPU = 'from = "nvidia/cuda:12.9.1-runtime-ubuntu22.04"\n'
CUDA = 'from = "debian:bookworm"\n[config.env]\nCUDA_VERSION = "12.9.1"\n'
KEY = "AKIA" + "Q3EGPIVTMVB5ZZQ7"  # in two parts, so that this file has none

Adds = Mapping[str, ImageLock]


@dataclass(frozen=True)
class Case:
    """Files over those of `SOUND`; with `adds` there is a lock. `at` is where the finding is."""

    rule: str
    at: str
    breaks: Mapping[str, str]
    passes: Mapping[str, str]
    adds: Adds | None = None
    passing_adds: Adds | None = None


def wheels(**images: Iterable[tuple[str, str]]) -> Adds:
    """Return a lock's images, each with packages of these names and versions."""
    return {
        name: ImageLock(wheels=tuple(wheel_of(project, version) for project, version in packages))
        for name, packages in images.items()
    }


CASES = (
    Case(
        "invalid-file",
        f"{API}:2",
        {API: 'from = "core"\nuzer = "1000"\n'},
        {API: SERVICE + "[gates]\nread-only = false\n"},
    ),
    Case(
        "suppression-without-reason",
        f"{ASKS}:1",
        {ASKS: "flask  # orch: ignore[requirement-in-base]\n"},
        {ASKS: "flask  # orch, ignore nothing\n"},
    ),
    Case(
        "unused-suppression",
        f"{ASKS}:1",
        {ASKS: "flask  # orch: ignore[requirement-in-base] needs its own\n"},
        {
            BASE_ASKS: "flask\n",
            ASKS: "# orch: ignore[requirement-in-base] needs its own\n\nflask\n",
        },
    ),
    Case(
        "unused-suppression",
        "orch.toml:3",
        {
            "orch.toml": SETTINGS + "[[checks.exceptions]]\nrule = 'unused-base'\n"
            "reason = 'r'\nuntil = '2026-11-19'\n",
            "base/old/image.toml": 'from = "core"\n',
        },
        {
            "orch.toml": SETTINGS + "[[checks.exceptions]]\nrule = 'unused-base'\n"
            f"reason = 'r'\nuntil = '{TODAY}'\n",
            "base/old/image.toml": 'from = "core"\n',
        },
    ),
    Case(
        "requirement-in-base",
        f"{ASKS}:2:1",
        {BASE_ASKS: "FastAPI\n", ASKS: "flask\nfastapi>=0.1\n"},
        {BASE_ASKS: "uvicorn\nfastapi-utils\n", ASKS: "uvicorn[standard]\nfastapi\n"},
    ),
    Case(
        "requirement-contradicts-base",
        f"{ASKS}:1:1",
        {BASE_ASKS: "scipy\n", ASKS: "numpy<2\n"},
        {BASE_ASKS: "scipy\n", ASKS: "numpy<3,>=2\n"},
        wheels(core=[("numpy", "2.4.6"), ("scipy", "1.17")]),
        wheels(core=[("numpy", "2.4.6"), ("scipy", "1.17")]),
    ),
    Case(
        "requirement-contradicts-base",
        f"{ASKS}:1:1",
        {BASE_ASKS: "numpy>=2\n", ASKS: "numpy<2\n"},
        {BASE_ASKS: "numpy>=2\n", ASKS: "numpy[test]<=2\n"},
    ),
    Case(
        "requirement-twice",
        f"{ASKS}:3:1",
        {ASKS: "httpx\n# both\nhttpx>=0.2\n"},
        {ASKS: "httpx; python_version >= '3.11'\nhttpx>=0.2; platform_machine == 'x86_64'\n"},
    ),
    Case(
        "requirement-against-constraints",
        f"{ASKS}:1:1",
        {"constraints.txt": "openai==3.52.0\n", ASKS: "openai==3.40.0\n"},
        {
            "constraints.txt": "openai==3.52.0\nflask<3; sys_platform == 'darwin'\n",
            ASKS: "openai~=3.52\nopenai==3.40.0; sys_platform == 'darwin'\nflask>=3\n",
        },
    ),
    Case(
        "constraint-not-applied",
        "constraints.txt:1:1",
        {"constraints.txt": "flask==3\n", ASKS: "flask\n"},
        {"constraints.txt": "flask==3\nflask<3; python_version < '3'\n", ASKS: "flask\n"},
        wheels(api=[("flask", "2.9")]),
        wheels(api=[("flask", "3.0")]),
    ),
    Case(
        "constraint-unused",
        "constraints.txt:2:1",
        {"constraints.txt": "flask==3\nbeautifulsoup==4\n", ASKS: "flask\n"},
        {"constraints.txt": "flask==3\nwerkzeug==3\n", ASKS: "Flask\n"},
        wheels(api=[("flask", "3")]),
        wheels(api=[("flask", "3"), ("werkzeug", "3")]),
    ),
    Case(
        "pins-differ",
        "services/web/requirements.txt:1:1",
        {
            "services/web/image.toml": SERVICE,
            "services/web/requirements.txt": "httpx==0.27.2\n",
            ASKS: "httpx==0.28.1\n",
        },
        {
            "services/web/image.toml": SERVICE,
            "services/web/requirements.txt": "httpx==0.28.*\n",
            ASKS: "httpx==0.28.1\n",
        },
    ),
    Case(
        "unused-base",
        "base/old/image.toml:1:9",
        {"base/old/image.toml": 'from = "core"\n'},
        {"base/old/image.toml": 'from = "core"\n', API: SERVICE.replace("core", "old")},
    ),
    Case(
        "deprecated-base",
        f"{API}:1:9",
        {BASE: 'from = "debian:bookworm"\ndeprecated = "use web"\n'},
        {
            BASE: 'from = "debian:bookworm"\ndeprecated = "use web"\n',
            API: 'deprecated = "use web"\n' + SERVICE,
        },
    ),
    Case(
        "base-not-pinned",
        f"{BASE}:1:9",
        {BASE: 'from = "docker.io/library/python:3.11-slim"\n'},
        {BASE: f'from = "docker.io/library/python:3.11-slim@sha256:{"0" * 64}"\n'},
    ),
    Case(
        "cuda-mismatch",
        f"{BASE}:1:9",
        {BASE: GPU, BASE_ASKS: "torch\n"},
        {BASE: GPU, BASE_ASKS: "torch\n"},
        wheels(core=[("torch", "2.4.0+cu121")]),
        wheels(core=[("torch", "2.8.0+cu129"), ("cupy-cuda12x", "13"), ("mlx-cuda", "1")]),
    ),
    Case(
        "cuda-mismatch",
        f"{API}:1:9",
        {
            BASE: 'from = "debian:bookworm"\n[config.env]\nCUDA_VERSION = "12.9.1"\n',
            ASKS: "cupy-cuda11x\n",
        },
        {
            BASE: 'from = "debian:bookworm"\n[config.env]\nCUDA_VERSION = "12.9.1"\n',
            ASKS: "torch\n",
        },
        wheels(api=[("cupy-cuda11x", "13.0")]),
        wheels(api=[("torch", "2.13.0+cpu"), ("nvidia-cuda-runtime-cu12", "12.9.79")]),
    ),
    Case(
        "cuda-mismatch",
        f"{BASE}:1:9",
        {BASE: CUDA, BASE_ASKS: "torch==2.4.0+cu121\n"},
        {BASE: CUDA.replace("CUDA_", "TORCH_"), BASE_ASKS: "torch==2.4.0+cu121\n"},
    ),
    Case(
        "python-version",
        f"{BASE}:3:14",
        {BASE: 'from = "debian:bookworm"\n[system]\npackages = ["python3.12"]\n'},
        {BASE: 'from = "debian:bookworm"\n[system]\npackages = ["python3.11", "python3-yaml"]\n'},
    ),
    Case(
        "python-version",
        "services/api/pyproject.toml:2:20",
        {"services/api/pyproject.toml": '[project]\nrequires-python = ">=3.12"\n'},
        {"services/api/pyproject.toml": '[tool.poetry.dependencies]\npython = "^3.9"\n'},
    ),
    Case(
        "python-version",
        "services/api/pyproject.toml:2:11",
        {"services/api/pyproject.toml": '[tool.poetry.dependencies]\npython = "^3.12"\n'},
        {"services/api/pyproject.toml": '[tool.poetry.dependencies]\npython = "~3.11"\n'},
    ),
    Case(
        "marker-never-applies",
        f"{ASKS}:1:1",
        {ASKS: "tomli; python_version < '3.11'\n"},
        {ASKS: "tomli; python_version < '3.12'\n"},
    ),
    Case(
        "runs-as-root",
        f"{API}:3",
        {API: SERVICE.replace("1000", "0:0")},
        {
            API: SERVICE.replace('user = "1000"\n', ""),
            BASE: SOUND[BASE] + "[config]\nuser = 'app'\n",
        },
    ),
    Case(
        "runs-as-root",
        f"{API}:3",
        {API: SERVICE.replace("1000", "root"), BASE: EXTERNAL},
        {API: SERVICE.replace('user = "1000"\n', ""), BASE: EXTERNAL},
    ),
    Case(
        "no-healthcheck",
        f"{API}:1:9",
        {API: SERVICE.partition("[healthcheck]")[0]},
        {
            API: SERVICE.partition("[healthcheck]")[0],
            BASE: SOUND[BASE] + '[healthcheck]\ncommand = ["true"]\n',
        },
    ),
    Case(
        "health-port",
        f"{API}:6:26",
        {API: SERVICE.replace(":8000/", ":8001/")},
        {API: SERVICE.replace('"8000"', '"8001", "8000/tcp"')},
    ),
    Case(
        "gate-without-effect",
        f"{BASE}:3:1",
        {BASE: SOUND[BASE] + '[gates]\nstart-within = "30s"\n'},
        {API: SERVICE + '[gates]\nstart-within = "30s"\nmax-size = "1 MB"\n'},
    ),
    Case(
        "secret-in-config",
        f"{API}:8:1",
        {API: f'{SERVICE}[config.env]\nAWS_ACCESS_KEY_ID = "{KEY}"\n'},
        {
            API: SERVICE + '[config.env]\nTOKEN_URL = "https://example.com/token"\n'
            'DB_PASSWORD = "${DB_PASSWORD}"\nAPI_TOKEN = ""\nAPI_TOKEN_FILE = "/run/token"\n'
        },
    ),
    Case(
        "compiler-in-image",
        f"{BASE}:3:25",
        {BASE: SOUND[BASE] + '[system]\npackages = ["libffi8", "libffi-dev=3.4"]\n'},
        {BASE: SOUND[BASE] + '[system]\npackages = ["gcc-12-base", "libgcc-s1"]\n'},
    ),
)


def write_case(root: Path, files: Mapping[str, str], adds: Adds | None = None) -> Path:
    """Write a workspace of a case; return its root."""
    write_tree(root, {**SOUND, **files})
    if adds is not None:
        write_lock(root, adds)
    return root


def check(root: Path, *ids: str, selection: Selection | None = None) -> Checked:
    """Run rules of these ids, or all that run no other program, over a workspace."""
    choose = (selection or Selection()).choose
    subject = read_subject(read_settings(root), choose)
    rules = choose_rules(RULES, ids) if ids else [one for one in RULES if one.id != "hadolint"]
    return run_rules(subject, rules, TODAY, frozenset(ids))
