"""Rules over Dockerfiles: one that breaks each, and one that nearly does."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.checks.rules import RULES, dockerfiles
from orchestrator.lockfile import Lock
from orchestrator.lockwriting import format_lock
from tests.rules import findings, marked

KEY = "AKIA" + "Q3EXAMPLE7ABCDEF"
CLEAN = """\
FROM debian:bookworm-slim
USER 1000
HEALTHCHECK CMD curl -f http://localhost:8000/health
"""

BROKEN = {
    "root by USER": ("runs-as-root", CLEAN.replace("1000", "root:root"), "root:root"),
    "root by number": ("runs-as-root", CLEAN.replace("1000", '"0"'), '"0"'),
    "no USER": ("runs-as-root", CLEAN.replace("USER 1000\n", ""), "FROM debian:bookworm-slim"),
    "USER of another stage": (
        "runs-as-root",
        "FROM debian:bookworm AS build\nUSER 1000\nFROM debian:bookworm AS run\n",
        "FROM debian:bookworm AS run",
    ),
    "no HEALTHCHECK": (
        "no-healthcheck",
        "FROM debian:bookworm-slim\nUSER 1000\n",
        "FROM debian:bookworm-slim",
    ),
    "HEALTHCHECK NONE": ("no-healthcheck", f"{CLEAN}HEALTHCHECK NONE\n", "HEALTHCHECK NONE"),
    "AWS key in ENV": (
        "secret-in-config",
        f"{CLEAN}ENV A=1 \\\n    # which key\n    AWS_ACCESS_KEY_ID={KEY}\n",
        "AWS_ACCESS_KEY_ID",
    ),
    "old form of ENV": ("secret-in-config", f"{CLEAN}ENV KEY {KEY}\n", "KEY"),
    "ARG's default": ("secret-in-config", f"{CLEAN}ARG API_TOKEN=q8rT5uVw\n", "API_TOKEN"),
    "second ARG of a line": (
        "secret-in-config",
        f"{CLEAN}ARG A API_TOKEN=q8rT5uVw\n",
        "API_TOKEN",
    ),
    "ARG before FROM": ("secret-in-config", f"ARG DB_PASSWORD=hunter2x\n{CLEAN}", "DB_PASSWORD"),
    "LABEL": ("secret-in-config", f"{CLEAN}LABEL a.b='x' key='{KEY}'\n", "key"),
    "here-document": (
        "secret-in-config",
        f"{CLEAN}RUN <<EOF\nexport X=1\naws configure set k {KEY}\nEOF\n",
        f"aws configure set k {KEY}",
    ),
    "latest": ("latest-in-from", CLEAN.replace(":bookworm-slim", ":latest"), "debian:latest"),
    "no tag": ("latest-in-from", CLEAN.replace(":bookworm-slim", ""), "debian"),
    "lists of apt": (
        "cache-in-image",
        f"{CLEAN}RUN apt-get -q update \\\n && apt-get install -y curl\n",
        "apt-get",
    ),
    "lists removed too late": (
        "cache-in-image",
        f"{CLEAN}RUN apt-get update\nRUN rm -rf /var/lib/apt/lists/*\n",
        "apt-get",
    ),
    "pip's cache beside a mount": (
        "cache-in-image",
        f"{CLEAN}RUN --mount=type=secret,id=pip pip install flask\n",
        "pip",
    ),
    "pip's cache": ("cache-in-image", f"{CLEAN}RUN python3 -m pip install flask\n", "python3"),
    "compiler": (
        "compiler-in-image",
        f"{CLEAN}RUN apt-get update && \\\n    apt-get install -y curl \\\n      build-essential\n",
        "build-essential",
    ),
    "compiler in a here-document": (
        "compiler-in-image",
        f"{CLEAN}RUN <<EOF\napt-get update\napt-get install -y gcc=4:12\nEOF\n",
        "gcc=4:12",
    ),
    "code before requirements": (
        "copied-before-requirements",
        f"{CLEAN}COPY . /app\nRUN pip install -r /app/requirements.txt\n",
        ".",
    ),
    "folder before requirements": (
        "copied-before-requirements",
        f"{CLEAN}COPY requirements.txt /\nCOPY app /app\nRUN pip install -r /requirements.txt\n",
        "app",
    ),
    "no constraints": (
        "install-without-constraints",
        f"{CLEAN}RUN set -e; pip install -r requirements.txt\n",
        "pip",
    ),
    "against constraints": (
        "requirement-against-constraints",
        f"{CLEAN}RUN pip install \\\n  'flask==2.0'\n",
        "'flask==2.0'",
    ),
    "CUDA of a version": (
        "cuda-mismatch",
        f"{CLEAN}ENV CUDA_VERSION=12.9.1\nRUN pip install numpy 'torch==2.4.0+cu121'\n",
        "'torch==2.4.0+cu121'",
    ),
    "CUDA of a stage below": (
        "cuda-mismatch",
        "FROM debian AS a\nENV CUDA_VERSION=12.9.1\nFROM a\nRUN pip install torch==2.4.0+cu121\n",
        "torch==2.4.0+cu121",
    ),
    "CUDA of an index": (
        "cuda-mismatch",
        (
            "FROM nvidia/cuda:12.9.1-runtime-ubuntu22.04\n"
            "RUN pip install torch numpy --index-url https://example.com/whl/cu121\n"
        ),
        "torch",
    ),
    "CUDA of an extra": (
        "cuda-mismatch",
        "ARG V=11.8.0\nFROM nvidia/cuda:${V}-base\nRUN uv pip install -U 'jax[cuda12]'\n",
        "'jax[cuda12]'",
    ),
    "CUDA of a file": (
        "cuda-mismatch",
        "FROM nvidia/cuda:12.9.1-base\nCOPY gpu.txt /\nRUN pip install -r /gpu.txt\n",
        "nvidia/cuda:12.9.1-base",
    ),
    "download": (
        "unverified-download",
        f"{CLEAN}ADD https://example.com/model.bin /m/\n",
        "https://example.com/model.bin",
    ),
}

PASSING = {
    "a user by number": ("runs-as-root", CLEAN),
    "a user by variable": ("runs-as-root", CLEAN.replace("1000", "${APP_USER}")),
    "an external image that says so": ("runs-as-root", "FROM r.io/distroless:nonroot\n"),
    "a user of a stage below": (
        "runs-as-root",
        "FROM debian:bookworm AS a\nUSER 1000\nFROM a\nRUN true\n",
    ),
    "root in between": ("runs-as-root", CLEAN.replace("USER", "USER root\nRUN true\nUSER")),
    "a name that begins like root": ("runs-as-root", CLEAN.replace("1000", "rootless")),
    "a healthcheck of a stage below": (
        "no-healthcheck",
        CLEAN.replace("slim", "slim AS a") + "FROM a\n",
    ),
    "a secret by reference": ("secret-in-config", f"{CLEAN}ARG TOKEN\nENV TOKEN=${{TOKEN}}\n"),
    "a path and an empty password": (
        "secret-in-config",
        f"{CLEAN}ENV PGPASSWORD='' API_TOKEN=/run/secrets/token\n",
    ),
    "a version": ("latest-in-from", CLEAN),
    "latest of a sibling": ("latest-in-from", "FROM core:latest\n"),
    "latest with a digest": (
        "latest-in-from",
        CLEAN.replace(":bookworm-slim", f":latest@sha256:{'0' * 64}"),
    ),
    "lists removed": (
        "cache-in-image",
        f"{CLEAN}RUN apt-get update && true \\\n && rm -rf /var/lib/apt/lists/*\n",
    ),
    "lists in a mount": (
        "cache-in-image",
        f"{CLEAN}RUN --mount=type=cache,target=/var/lib/apt \\\n  apt-get update\n",
    ),
    "caches in another stage": (
        "cache-in-image",
        f"FROM debian:bookworm AS b\nRUN apt-get update; pip install x\n{CLEAN}",
    ),
    "pip without a cache": ("cache-in-image", f"{CLEAN}RUN pip --no-cache-dir install x\n"),
    "pip's variable": ("cache-in-image", f"{CLEAN}ENV PIP_NO_CACHE_DIR=1\nRUN pip install x\n"),
    "pip's mount": (
        "cache-in-image",
        f"{CLEAN}RUN --mount=type=cache,target=/root/.cache/pip pip install x\n",
    ),
    "a word in a comment": (
        "cache-in-image",
        f"{CLEAN}RUN true \\\n# so; pip install x\n && true\n",
    ),
    "a compiler that goes again": (
        "compiler-in-image",
        f"{CLEAN}RUN apt-get install -y gcc; make; apt-get purge -y --auto-remove gcc\n",
    ),
    "a compiler in another stage": (
        "compiler-in-image",
        f"FROM debian:bookworm AS b\nRUN apt-get install -y gcc\n{CLEAN}",
    ),
    "a word like a compiler": ("compiler-in-image", f"{CLEAN}RUN echo gcc\n"),
    "requirements first": (
        "copied-before-requirements",
        f"{CLEAN}COPY requirements.txt /\nRUN pip install -r /requirements.txt\nCOPY . /app\n",
    ),
    "a folder without code": (
        "copied-before-requirements",
        f"{CLEAN}COPY wheels /wheels\nRUN pip install -r /wheels/r.txt\n",
    ),
    "a project of its own": (
        "copied-before-requirements",
        f"{CLEAN}COPY . /app\nRUN pip install -e . -r requirements.txt\n",
    ),
    "constraints": (
        "install-without-constraints",
        f"{CLEAN}RUN pip install -r requirements.txt -c /constraints.txt\n",
    ),
    "constraints by variable": (
        "install-without-constraints",
        f"{CLEAN}ENV PIP_CONSTRAINT=/c.txt\nRUN pip install -r requirements.txt\n",
    ),
    "a script of its own": (
        "install-without-constraints",
        f"{CLEAN}RUN python a.py b install flask\n",
    ),
    "pip without a command": ("install-without-constraints", f"{CLEAN}RUN pip -q\n"),
    "pip itself": ("install-without-constraints", f"{CLEAN}RUN pip install -U pip setuptools\n"),
    "within constraints": ("requirement-against-constraints", f"{CLEAN}RUN pip install flask>=2\n"),
    "the same CUDA": (
        "cuda-mismatch",
        (
            "FROM nvidia/cuda:12.9.1-base\n"
            "RUN pip install torch -i https://example.com/whl/cu129 && pip install 'jax[cuda12]'\n"
        ),
    ),
    "CUDA of an index beside another": (
        "cuda-mismatch",
        (
            "FROM nvidia/cuda:12.9.1-base\n"
            "RUN pip install torch --extra-index-url=https://example.com/whl/cu121\n"
        ),
    ),
    "an index of what is for any CUDA": (
        "cuda-mismatch",
        (
            "FROM nvidia/cuda:12.9.1-base\n"
            "RUN pip install numpy --index-url=https://example.com/whl/cu121\n"
        ),
    ),
    "CUDA of another stage": (
        "cuda-mismatch",
        f"FROM nvidia/cuda:12.9.1-base AS b\nRUN true\n{CLEAN}RUN pip install torch==2.4.0+cu121\n",
    ),
    "a checksum": (
        "unverified-download",
        f"{CLEAN}ADD --checksum=sha256:{'0' * 64} https://example.com/model.bin /m/\n",
    ),
    "a file and a repository": (
        "unverified-download",
        f"{CLEAN}ADD requirements.txt /\nADD https://example.com/a.git#v1 /a\n",
    ),
}

ASKS = {
    "base/core/Dockerfile": (
        "FROM debian:bookworm\nCOPY requirements.txt /r.txt\nRUN pip install -r /r.txt\n"
    ),
    "base/core/requirements.txt": "fastapi>=1\n",
    "services/api/requirements.txt": "httpx\nFastAPI<1\n",
    "services/api/wheels/more.txt": "fastapi<1\n",
}
INSTALLS = {
    "a copied file": "COPY requirements.txt /tmp/\nRUN pip install -r /tmp/requirements.txt\n",
    "a file under another name": "COPY requirements.txt /r\nRUN pip3 install --requirement=/r\n",
    "a file in a folder": "COPY requirements.txt /t\nRUN uv pip install -r/t/requirements.txt\n",
    "a file beside another": (
        "COPY requirements.txt constraints.txt ./\nRUN python -m pip install -r requirements.txt\n"
    ),
    "a folder": "WORKDIR /app\nCOPY . .\nRUN pip install -r /app/requirements.txt\n",
    "a folder in a folder": "COPY wheels /w/x\nRUN pip install -r /w/x/more.txt\n",
    "a folder over another": (
        "COPY requirements.txt /a/\nCOPY wheels /a\nRUN pip install -r /a/requirements.txt\n"
    ),
    "a mounted file": (
        "RUN --mount=type=bind,source=requirements.txt,target=/r.txt \\\n"
        "    --mount=type=cache,target=/root/.cache pip install -r /r.txt\n"
    ),
    "a mounted context": "RUN --mount=target=/src pip install -r /src/requirements.txt\n",
    "a stage below": "COPY requirements.txt /\nFROM a\nRUN pip install -r /requirements.txt\n",
    "a path from a variable": "COPY requirements.txt $D/\nRUN pip install -r $D/requirements.txt\n",
}
DOES_NOT_INSTALL = {
    "nothing": "COPY requirements.txt /tmp/\n",
    "another file": "COPY requirements.txt /tmp/\nRUN pip install -r /app/requirements.txt\n",
    "a file of a stage": ("COPY --from=core /requirements.txt /r.txt\nRUN pip install -r /r.txt\n"),
    "a file that a stage's hides": (
        "COPY . /app\nCOPY --from=core /app /app\nRUN pip install -r /app/requirements.txt\n"
    ),
    "a file of a mounted stage": (
        "COPY . /app\nRUN --mount=type=bind,from=core,target=/app \\\n"
        "  pip install -r /app/requirements.txt\n"
    ),
    "a file that a cache hides": (
        "COPY . /app\nRUN --mount=type=cache,target=/app pip install -r /app/requirements.txt\n"
    ),
    "files by a pattern": "COPY require*.txt /\nRUN pip install -r /requirements.txt\n",
    "another folder": "COPY requirements.txt .\nRUN cd /x && pip install -r requirements.txt\n",
    "another target": "COPY requirements.txt /\nRUN pip install -t /x -r /requirements.txt\n",
    "perhaps": "COPY requirements.txt /\nRUN if a; then pip install -r /requirements.txt; fi\n",
    "an environment": (
        "COPY requirements.txt /r\nRUN python -m venv /v && /v/bin/pip install -r /r\n"
    ),
    "a stage beside": (
        "COPY requirements.txt /\nRUN pip install -r /requirements.txt\nFROM core\n"
    ),
    "a download": "COPY requirements.txt /\nRUN pip download -r /requirements.txt\n",
}

AROUND = {
    "base/core/Dockerfile": "FROM debian:bookworm\nUSER 1000\nHEALTHCHECK CMD true\n",
    "services/api/requirements.txt": "",
    "services/api/gpu.txt": "torch==2.4.0+cu121\n",
    "services/api/app/main.py": "",
    "services/api/wheels/x.whl": "",
    "constraints.txt": "flask==3.1.0\n",
}


@pytest.mark.parametrize(("rule", "text", "place"), BROKEN.values(), ids=BROKEN)
def test_a_fault_is_found_at_its_place(tmp_path: Path, rule: str, text: str, place: str) -> None:
    (found,) = findings(tmp_path, {**AROUND, "services/api/Dockerfile": text}, rule)
    assert (found.file, found.image) == ("services/api/Dockerfile", "api")
    assert marked(tmp_path, found) == place
    assert found.hint
    assert KEY not in found.message


@pytest.mark.parametrize(("rule", "text"), PASSING.values(), ids=PASSING)
def test_what_is_nearly_a_fault_passes(tmp_path: Path, rule: str, text: str) -> None:
    assert not findings(tmp_path, {**AROUND, "services/api/Dockerfile": text}, rule)


def test_what_a_sibling_says_holds_for_what_stands_on_it(tmp_path: Path) -> None:
    files = {**AROUND, "services/api/Dockerfile": "FROM core\n"}
    assert not findings(tmp_path, files, "runs-as-root")
    assert not findings(tmp_path, files, "no-healthcheck")
    files["base/core/Dockerfile"] = "FROM debian:bookworm\nUSER root\nHEALTHCHECK NONE\n"
    assert len(findings(tmp_path, files, "runs-as-root")) == 1
    assert len(findings(tmp_path, files, "no-healthcheck")) == 1


def test_bases_may_run_as_root(tmp_path: Path) -> None:
    files = {"base/core/Dockerfile": "FROM debian:bookworm\nUSER root\n"}
    assert not findings(tmp_path, files, "runs-as-root")


def test_a_target_is_the_stage_that_counts(tmp_path: Path) -> None:
    text = "FROM debian:bookworm AS prod\nUSER 1000\nFROM prod AS debug\nUSER root\n"
    files = {"services/api/Dockerfile": text}
    assert len(findings(tmp_path, files, "runs-as-root")) == 1
    settings = '[image.api]\npath = "services/api"\ntarget = "prod"\n'
    assert not findings(tmp_path, {**files, "orch.toml": settings}, "runs-as-root")


def test_of_a_target_the_cuda_of_its_own_stages_counts(tmp_path: Path) -> None:
    text = "FROM debian:12 AS gpu\nENV CUDA_VERSION=12.9.1\nRUN pip install torch==2.4.0+cu121\n"
    files = {**AROUND, "services/api/Dockerfile": f"{text}FROM debian:12 AS cpu\n"}
    table = '[image.api]\npath = "services/api"\ntarget = "{}"\n'
    for target, count in (("gpu", 1), ("cpu", 0)):
        settings = {"orch.toml": table.format(target)}
        assert len(findings(tmp_path, {**files, **settings}, "cuda-mismatch")) == count


def test_other_comments_may_stand_between_continued_lines(tmp_path: Path) -> None:
    comment = "    # orch: ignore[compiler-in-image] it builds\n"
    text = f"{CLEAN}RUN apt-get install -y \\\n{comment}    gcc\n"
    assert not findings(tmp_path, {**AROUND, "services/api/Dockerfile": text}, "compiler-in-image")


def test_every_rule_has_a_case_that_breaks_it_and_one_that_passes() -> None:
    theirs = {id(one) for module in (dockerfiles,) for one in vars(module).values()}
    ids = {one.id for one in RULES if id(one) in theirs}
    assert ids <= {rule for rule, *_ in BROKEN.values()}
    assert ids <= {rule for rule, *_ in PASSING.values()}


def written(text: str) -> dict[str, str]:
    return {**AROUND, **ASKS, "services/api/Dockerfile": f"FROM core AS a\n{text}"}


@pytest.mark.parametrize("text", INSTALLS.values(), ids=INSTALLS)
def test_what_a_dockerfile_installs_is_held_against_its_base(tmp_path: Path, text: str) -> None:
    (found,) = findings(tmp_path, written(text), "requirement-contradicts-base")
    assert found.file in {"services/api/requirements.txt", "services/api/wheels/more.txt"}
    assert marked(tmp_path, found).lower() == "fastapi"
    assert (found.image, found.fix) == ("api", ())
    assert not findings(tmp_path, written(text), "requirement-in-base")  # one fault, one finding


@pytest.mark.parametrize("text", DOES_NOT_INSTALL.values(), ids=DOES_NOT_INSTALL)
def test_what_a_dockerfile_may_not_install_is_not_guessed(tmp_path: Path, text: str) -> None:
    assert not findings(tmp_path, written(text), "requirement-contradicts-base")


def test_what_settings_say_of_requirements_is_not_guessed_again(tmp_path: Path) -> None:
    files = written(INSTALLS["a copied file"])
    files["services/api/requirements.txt"] = "httpx\nhttpx>1\n"
    settings = '[image.api]\npath = "services/api"\nrequirements = []\n'
    assert findings(tmp_path, files, "requirement-twice")
    assert not findings(tmp_path, {**files, "orch.toml": settings}, "requirement-twice")


def test_what_is_locked_for_another_python_is_not_held_against_the_base(tmp_path: Path) -> None:
    files = written(INSTALLS["a copied file"])
    table = '[image.{0}]\npath = "{1}/{0}"\nrequirements = ["requirements.txt"]\n'
    core, api = table.format("core", "base"), table.format("api", "services")
    for python, count in (("3.11", 1), ("3.12", 0)):
        settings = f'{core}python = "3.11"\n{api}python = "{python}"\n'
        found = findings(tmp_path, {**files, "orch.toml": settings}, "requirement-contradicts-base")
        assert len(found) == count


def test_a_constraint_may_be_for_what_a_dockerfile_installs_unsaid(tmp_path: Path) -> None:
    files = {**AROUND, "services/api/Dockerfile": CLEAN, "orch.lock": format_lock(Lock())}
    assert not findings(tmp_path, files, "constraint-unused")
    table = '[image.{0}]\npath = "{1}/{0}"\nrequirements = []\n'
    settings = table.format("core", "base") + table.format("api", "services")
    assert findings(tmp_path, {**files, "orch.toml": settings}, "constraint-unused")


def test_the_lowest_base_may_make_the_environment_of_all(tmp_path: Path) -> None:
    files = written(INSTALLS["a copied file"])
    files["base/core/Dockerfile"] += "RUN python -m venv /opt/venv\n"
    assert findings(tmp_path, files, "requirement-contradicts-base")


def test_requirements_of_a_dockerfile_that_no_lock_can_hold_are_nobody_s_fault(
    tmp_path: Path,
) -> None:
    files = written(INSTALLS["a copied file"])
    files["services/api/requirements.txt"] = "fastapi<1\n--find-links /wheels\n"
    assert not findings(tmp_path, files, "invalid-file")


def test_what_a_dockerfile_asks_for_again_is_suppressed_where_it_stands(tmp_path: Path) -> None:
    files = written(INSTALLS["a copied file"])
    files["services/api/requirements.txt"] = "fastapi  # orch: ignore[requirement-in-base] why\n"
    assert not findings(tmp_path, files, "requirement-in-base")
    files["services/api/requirements.txt"] = "fastapi  # why\n"
    assert len(findings(tmp_path, files, "requirement-in-base")) == 1


@pytest.mark.parametrize(("name", "count"), [("PIP_NO_CACHE_DIR", 0), ("PIP_NO_COLOR", 1)])
def test_a_variable_of_a_recipe_below_holds_in_a_dockerfile(
    tmp_path: Path, name: str, count: int
) -> None:
    recipe = f'from = "debian:bookworm"\n[config.env]\n{name} = "1"\n'
    files = {
        "base/plain/image.toml": recipe,
        "services/api/Dockerfile": "FROM plain\nRUN pip install flask\n",
    }
    assert len(findings(tmp_path, files, "cache-in-image")) == count
