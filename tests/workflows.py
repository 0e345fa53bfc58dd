"""GitHub's side of a workflow, as far as the written ones need it.

Jobs run in order, their shell steps by bash; what `uses:` brings is emulated, `${{ }}` filled in.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_PATH = re.compile(r"'[^']*'|[A-Za-z_][\w-]*(?:\.(?:[A-Za-z_][\w-]*|\*))*")
_WORDS = {"and", "or", "not", "True", "False"}
TIMEOUT_S = 300


class Row(dict[str, Any]):
    """An object of a context: its keys are read with a dot, and what is not there is nothing."""

    def __getattr__(self, name: str) -> Any:
        return self.get(name, Row())


def rows(value: Any) -> Any:
    """Return JSON's values so that expressions can walk them."""
    if isinstance(value, dict):
        return Row({key: rows(inner) for key, inner in value.items()})
    return [rows(inner) for inner in value] if isinstance(value, list) else value


@dataclass
class Ran:
    """What came of one job of a matrix."""

    name: str
    result: str = "success"
    outputs: dict[str, str] = field(default_factory=dict)
    log: str = ""
    summary: str = ""
    workspace: Path = Path()
    ran: list[str] = field(default_factory=list)

    def report(self, name: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.workspace / ".orch/ci" / name).read_text())
        return document


@dataclass
class Run:
    """A run of a workflow: its jobs by id, a list for each, since a job may have a matrix."""

    jobs: dict[str, list[Ran]] = field(default_factory=dict)

    def of(self, prefix: str) -> list[Ran]:
        """Return what ran of the jobs whose ids begin so."""
        return [
            ran for name, found in self.jobs.items() if name.startswith(prefix) for ran in found
        ]

    @property
    def log(self) -> str:
        return "\n".join(f"== {ran.name}: {ran.result}\n{ran.log}" for ran in self.of(""))

    def result(self, job: str) -> str:
        """Return what a job came to: the worst of its matrix, `skipped` where it did not run."""
        results = {ran.result for ran in self.jobs.get(job, ())}
        return "failure" if "failure" in results else "success" if results else "skipped"

    def built(self, prefix: str = "build-") -> set[str]:
        """Return the images that the reports of jobs say were built."""
        found = set()
        for ran in self.of(prefix):
            for file in (ran.workspace / ".orch/ci").glob("build*.json"):
                rows = json.loads(file.read_text())["images"]
                found |= {row["name"] for row in rows if row["status"] == "built"}
        return found


@dataclass
class Host:
    """Runs workflows of a repository, each job on a machine of its own: a fresh folder."""

    repository: Path
    scratch: Path
    path: str
    secrets: Mapping[str, str] = field(default_factory=dict)

    def run(self, workflow: str, event: str, **github: str) -> Run:
        """Run a workflow of the branch that is checked out in the repository."""
        file = self.repository / ".github/workflows" / workflow
        document = YAML(typ="safe").load(file.read_text("utf-8"))
        run, folder = Run(), self._fresh("run")
        for name, job in document["jobs"].items():
            needs = job.get("needs", [])
            context = {
                "github": Row(event_name=event, event=Row(), token="", actor="ann", **github),
                "needs": Row({one: _needed(run, one) for one in _listed(needs)}),
                "secrets": Row(self.secrets),
                "env": Row(document.get("env", {})),
            }
            if _is_wanted(job, context):
                run.jobs[name] = [
                    self._job(name, job, {**context, "matrix": rows(row)}, folder, github)
                    for row in _matrix(job, context)
                ]
        return run

    def _job(
        self,
        name: str,
        job: Mapping[str, Any],
        context: dict[str, Any],
        artifacts: Path,
        github: Mapping[str, str],
    ) -> Ran:
        ran = Ran(f"{name} {context['matrix'].get('job', '')}", workspace=self._fresh(name))
        temp = self._fresh("temp")
        context["github"]["workspace"] = str(ran.workspace)
        context["runner"] = Row(os="Linux", arch="X64", temp=str(temp))
        context["steps"] = Row()
        variables = {key: filled(value, context) for key, value in context["env"].items()}
        variables |= {key: filled(value, context) for key, value in job.get("env", {}).items()}
        given = {f"GITHUB_{key.upper()}": value for key, value in github.items()}
        files = {key: temp / key for key in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_STEP_SUMMARY")}
        for step in job["steps"]:
            if not _step_is_wanted(step, ran, context):
                continue
            ran.ran.append(step.get("name", step.get("uses", "")))
            for file in files.values():
                file.touch()
            if "uses" in step:
                self._action(step, context, ran, artifacts)
                continue
            files["GITHUB_OUTPUT"].write_text("")
            env = {**{key: str(file) for key, file in files.items()}, **given, **variables}
            done = self._run_step(step, context, ran, env)
            ran.log += f"-- {step.get('name')}\n{done.stdout}{done.stderr}"
            if done.returncode:
                ran.result = "failure"
            variables |= dict(_lines(files["GITHUB_ENV"]))
            context["steps"][step.get("id", "")] = Row(outputs=Row(_lines(files["GITHUB_OUTPUT"])))
        ran.summary = files["GITHUB_STEP_SUMMARY"].read_text()
        ran.outputs = {key: filled(text, context) for key, text in job.get("outputs", {}).items()}
        return ran

    def _run_step(
        self, step: Mapping[str, Any], context: dict[str, Any], ran: Ran, env: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run a step's script as the host does: with the job's variables, and the step's own."""
        temp = context["runner"].temp
        told = {"RUNNER_TEMP": temp, "GITHUB_WORKSPACE": str(ran.workspace)}
        own = {key: filled(value, context) for key, value in step.get("env", {}).items()}
        shell = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")
        return subprocess.run(
            [*shell, filled(step["run"], context)],
            cwd=ran.workspace,
            env={**machine(self.path, Path(temp)), **told, **env, **own},
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )

    def _action(
        self, step: Mapping[str, Any], context: dict[str, Any], ran: Ran, artifacts: Path
    ) -> None:
        """Do what an action of the written workflows does; what only a host can is passed over."""
        action = step["uses"].partition("@")[0]
        given = {key: filled(str(value), context) for key, value in step.get("with", {}).items()}
        if action == "actions/checkout":
            self._check_out(ran.workspace, given["fetch-depth"])
        elif action == "actions/upload-artifact":
            source = ran.workspace / given["path"]
            target = artifacts / given["name"]
            if source.is_dir():
                shutil.copytree(source, target)
            elif source.is_file():
                target.mkdir()
                shutil.copy(source, target)
        elif action == "actions/download-artifact":
            target = ran.workspace / given.get("path", ".")
            for folder in artifacts.glob(given.get("pattern", given.get("name", ""))):
                inner = target / folder.name if "pattern" in given else target
                shutil.copytree(folder, inner, dirs_exist_ok=True)

    def _check_out(self, workspace: Path, depth: str) -> None:
        shallow = [] if depth == "0" else ["--depth", depth]
        source = self.repository.as_uri()
        subprocess.run(["git", "clone", "-q", *shallow, source, str(workspace)], check=True)

    def _fresh(self, name: str) -> Path:
        folder = self.scratch / f"{name}-{len(list(self.scratch.iterdir()))}"
        folder.mkdir()
        return folder


def filled(text: Any, context: Mapping[str, Any]) -> str:
    """Return a text with its expressions worked out."""
    return _EXPRESSION.sub(lambda found: _text(evaluate(found[1], context)), str(text))


def evaluate(expression: str, context: Mapping[str, Any]) -> Any:
    """Work out an expression (GitHub, "Evaluate expressions in workflows and actions")."""
    text = expression.replace("&&", " and ").replace("||", " or ")
    text = re.sub(r"!(?!=)", " not ", text)
    names = {
        "Row": Row,
        "fromJSON": lambda value: rows(json.loads(value)) if value else Row(),
        "contains": lambda where, what: what in where,
        "cancelled": lambda: False,
        "hashFiles": lambda *paths: _hashed(context, paths),
        **context,
    }
    return eval(_PATH.sub(_python_path, text.strip()), {"__builtins__": {}, **names})


def _python_path(found: re.Match[str]) -> str:
    """Return a path so that Python walks it: keys may have dashes, and `*` takes a part of all."""
    text = found[0]
    if text.startswith("'") or text in _WORDS or "." not in text:
        return text
    first, *rest = text.split(".")
    for number, key in enumerate(rest):
        if key == "*":
            after = "".join(f".get({name!r}, Row())" for name in rest[number + 1 :])
            return f"[one{after} for one in {first}.values()]"
        first += f".get({key!r}, Row())"
    return first


def _hashed(context: Mapping[str, Any], paths: tuple[str, ...]) -> str:
    root = Path(context["github"]["workspace"])
    found = [root / path for path in paths if (root / path).is_file()]
    return (
        hashlib.sha256(b"".join(file.read_bytes() for file in found)).hexdigest() if found else ""
    )


def _text(value: Any) -> str:
    return "" if value in (None, {}) else str(value)


def _needed(run: Run, name: str) -> Row:
    outputs = run.jobs[name][0].outputs if run.jobs.get(name) else {}
    return Row(result=run.result(name), outputs=Row(outputs))


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _is_wanted(job: Mapping[str, Any], context: Mapping[str, Any]) -> bool:
    condition = job.get("if", "")
    all_well = all(need.result == "success" for need in context["needs"].values())
    if "cancelled()" not in condition and not all_well:
        return False
    return not condition or filled(condition, context) not in {"", "False"}


def _step_is_wanted(step: Mapping[str, Any], ran: Ran, context: Mapping[str, Any]) -> bool:
    condition = step.get("if", "")
    if "cancelled()" not in condition and ran.result == "failure":
        return False
    return not condition or filled(condition, context) not in {"", "False"}


def _matrix(job: Mapping[str, Any], context: Mapping[str, Any]) -> list[dict[str, Any]]:
    if "strategy" not in job:
        return [{}]
    (expression,) = _EXPRESSION.findall(job["strategy"]["matrix"])
    found: list[dict[str, Any]] = evaluate(expression, context)["include"]
    assert found, "GitHub refuses an empty matrix"
    return found


def _lines(file: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in file.read_text().splitlines())


def machine(path: str, home: Path) -> dict[str, str]:
    """Return what a runner's environment has, and what keeps it from this machine's engines."""
    kept = ("PYTHONPATH", "PIP_INDEX_URL", "PIP_CONFIG_FILE", "GIT_CONFIG_GLOBAL")
    return {
        "PATH": path,
        "HOME": str(home),
        "CI": "true",
        "DOCKER_HOST": f"unix://{home}/no-engine.sock",
        "LANG": "C.UTF-8",
        **{name: os.environ[name] for name in kept if name in os.environ},
    }
