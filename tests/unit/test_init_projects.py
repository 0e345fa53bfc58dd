"""`orch init` in repositories of Python projects: what it proposes, says, and leaves alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrator.app.checking import check
from orchestrator.app.initialising import initialise
from orchestrator.app.opened import open_workspace
from orchestrator.checks.finding import Severity
from orchestrator.discovery.proposal import Proposal
from orchestrator.errors import WorkspaceError
from orchestrator.model import Recipe
from orchestrator.projects.poetry import requirement_text, specifiers
from orchestrator.resolve.inputs import read_tree_requirements
from orchestrator.select import Selection
from tests.helpers import write_tree

WEB = 'from fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.get("/health")\ndef f(): ...\n'


def init(root: Path, files: Mapping[str, str]) -> Proposal:
    """Write files and what is proposed for them: a workspace without errors, nothing changed."""
    write_tree(root, files)
    proposal = initialise(root, write=True, force=False)
    assert open_workspace(root).graph == proposal.graph
    found = check(root, Selection()).findings
    assert not [one.message for one in found if one.severity is Severity.ERROR]
    assert {path: (root / path).read_text() for path in files} == dict(files)
    return proposal


def requirements(root: Path, name: str) -> list[str]:
    lines = read_tree_requirements(open_workspace(root).workspace)
    return [str(line) for line in lines[name]]


def recipe(proposal: Proposal, name: str) -> Recipe:
    return proposal.graph.images[name].recipe


def copied(proposal: Proposal, name: str) -> dict[str, str]:
    return {copy.source: copy.target for copy in recipe(proposal, name).files}


def starts(proposal: Proposal, name: str) -> str:
    return " ".join((recipe(proposal, name).config.entrypoint or ())[1:])


def open_questions(proposal: Proposal) -> list[str]:
    return [f"{item.place}: {item.message}" for item in proposal.undecided]


def project(name: str, *needs: str, more: str = "") -> str:
    return f'[project]\nname = "{name}"\ndependencies = {list(needs)}\n{more}'


SOURCES = "[tool.uv.sources]\nshared = { workspace = true }\n"
UV = {
    "pyproject.toml": '[tool.uv.workspace]\nmembers = ["apps/*", "libs/*"]\n',
    "apps/api/pyproject.toml": project(
        "api", "fastapi[standard]", "shared", more=f'requires-python = ">=3.11"\n{SOURCES}'
    ),
    "apps/api/src/api/main.py": WEB,
    "apps/worker/pyproject.toml": project(
        "worker", "redis>=5", "shared", more=f'scripts = {{ work = "worker:main" }}\n{SOURCES}'
    ),
    "apps/worker/worker/__init__.py": "def main(): ...\n",
    "apps/worker/tests/test_worker.py": "",
    "libs/shared/pyproject.toml": project("Shared", "httpx"),
    "libs/shared/src/shared/__init__.py": "",
    "uv.lock": (
        '[[package]]\nname = "httpx"\nversion = "0.28.1"\nsource = { registry = "x" }\n'
        '[[package]]\nname = "pytest"\nversion = "8"\nsource = { registry = "x" }\n'
        '[[package]]\nname = "shared"\nversion = "1"\nsource = { editable = "libs/shared" }\n'
        '[[package]]\nname = "redis"\nversion = "5"\nsource = { git = "https://x" }\n'
    ),
}


def test_members_of_a_uv_workspace_are_services_and_those_they_share_are_copied(
    tmp_path: Path,
) -> None:
    proposal = init(tmp_path, UV)
    assert dict(proposal.graph.parents) == {
        "python-base": (),
        "api": ("python-base",),
        "worker": ("python-base",),
    }
    assert starts(proposal, "api") == "-m uvicorn api.main:app --host 0.0.0.0 --port 8000"
    assert copied(proposal, "api") == {"src": "/app", "//libs/shared/src": "/app"}
    assert requirements(tmp_path, "api") == ["fastapi[standard]", "httpx"]
    health = recipe(proposal, "api").healthcheck
    assert health
    assert health.http == "http://127.0.0.1:8000/health"
    assert copied(proposal, "worker") == {"worker": "/app/worker", "//libs/shared/src": "/app"}
    assert starts(proposal, "worker").startswith("-c import sys; from worker import main;")
    assert requirements(tmp_path, "worker") == ["redis>=5", "httpx"]
    assert 'services = ["apps/*"]' in proposal.text
    assert not [item for item in proposal.undecided if item.image]


def test_locked_versions_of_what_is_asked_for_become_constraints(tmp_path: Path) -> None:
    init(tmp_path, UV)
    assert (tmp_path / "constraints.txt").read_text().splitlines()[1:] == ["httpx==0.28.1"]


def test_constraints_that_are_there_stay(tmp_path: Path) -> None:
    init(tmp_path, {**UV, "constraints.txt": "httpx<1\n"})


def test_versions_on_which_locks_differ_are_undecided(tmp_path: Path) -> None:
    lock = '[[package]]\nname = "flask"\nversion = "{}"\n'
    files = {}
    for name, version in (("a", "3.0"), ("b", "3.1")):
        files[f"{name}/pyproject.toml"] = project(name, "flask")
        files[f"{name}/main.py"] = ""
        files[f"{name}/poetry.lock"] = lock.format(version)
    proposal = init(tmp_path, files)
    assert not (tmp_path / "constraints.txt").exists()
    said = "flask is locked as 3.0 (a/poetry.lock) and 3.1 (b/poetry.lock)"
    assert f"a/poetry.lock: {said}" in open_questions(proposal)


POETRY = {
    "pyproject.toml": (
        '[tool.poetry]\nname = "shop"\ndescription = "Sells"\n[tool.poetry.dependencies]\n'
        'python = "^3.11"\nflask = "^3.0.1"\ngunicorn = "*"\ntools = { path = "libs/tools" }\n'
        'redis = { version = "~5.0", extras = ["hiredis"], python = "<3.14" }\n'
        'sentry = { version = "*", optional = true }\nmine = { git = "https://example.com/x" }\n'
        '[tool.poetry.group.dev.dependencies]\npytest = "*"\n'
        '[[tool.poetry.source]]\nname = "own"\nurl = "https://me:secret@pypi.example.com/simple"\n'
    ),
    "shop/__init__.py": "from flask import Flask\n\napp = Flask(__name__)\n",
    "tests/test_shop.py": "",
    "libs/tools/pyproject.toml": '[tool.poetry]\nname = "tools"\n[tool.poetry.dependencies]\n',
    "libs/tools/tools.py": "",
}


def test_a_project_of_poetry_at_the_root_becomes_a_service_below_services(tmp_path: Path) -> None:
    proposal = init(tmp_path, POETRY)
    assert str(proposal.graph.images["shop"].path) == "services/shop"
    assert recipe(proposal, "shop").summary == "Sells"
    assert starts(proposal, "shop") == "-m gunicorn shop:app --bind 0.0.0.0:8000"
    assert copied(proposal, "shop") == {
        "//shop": "/app/shop",
        "//libs/tools/tools.py": "/app/tools.py",
    }
    asked = ["flask<4,>=3.0.1", "gunicorn", 'redis[hiredis]<5.1,>=5.0; python_version < "3.14"']
    assert requirements(tmp_path, "shop") == asked


@pytest.mark.parametrize(
    ("server", "source", "expected"),
    [
        ("hypercorn", "app = Starlette()\n", "-m hypercorn main:app --bind 0.0.0.0:8000"),
        ("waitress", "app = Flask()\n", "-m waitress --listen=0.0.0.0:8000 main:app"),
        ("gunicorn", "app = get_wsgi_application()\n", "-m gunicorn main:app --bind 0.0.0.0:8000"),
    ],
)
def test_an_application_is_started_by_the_server_that_is_asked_for(
    tmp_path: Path, server: str, source: str, expected: str
) -> None:
    proposal = init(tmp_path, {"a/requirements.txt": f"{server}\n", "a/main.py": source})
    assert starts(proposal, "a") == expected
    stop = recipe(proposal, "a").config.stop_signal
    assert stop == ("SIGINT" if server == "waitress" else "")


@pytest.mark.parametrize(
    ("scripts", "expected"),
    [
        ('a = "x:cli.run"', "-c import sys; from x import cli; sys.exit(cli.run())"),
        ('other = "x:f"\na = "x:main"', "-c import sys; from x import main; sys.exit(main())"),
        ('a = { callable = "x:f" }\nb = "x:b"\nc = "x:c"', "-m main"),
        ('a = "x:f [extra]"', "-m main"),
    ],
)
def test_a_script_that_is_named_so_or_the_only_one_starts_a_project(
    tmp_path: Path, scripts: str, expected: str
) -> None:
    table = f'[tool.poetry]\nname = "a"\n[tool.poetry.scripts]\n{scripts}\n'
    proposal = init(tmp_path, {"a/pyproject.toml": table, "a/main.py": "", "a/x.py": ""})
    assert starts(proposal, "a") == expected


def test_a_package_that_is_named_src_is_copied_as_such(tmp_path: Path) -> None:
    files = {"a/requirements.txt": "", "a/src/__init__.py": "", "a/src/__main__.py": ""}
    proposal = init(tmp_path, files)
    assert copied(proposal, "a") == {"src": "/app/src"}
    assert starts(proposal, "a") == "-m src"


@pytest.mark.parametrize(
    "text",
    [
        '[project]\nname = 1\ndependencies = "x"\ndynamic = 1\nscripts = []\n',
        "[project]\ndependencies = [1, {}]\n[tool]\nuv = 1\n",
        "[tool.poetry]\ndependencies = { a = 1, b = [], c = [1], python = [] }\n",
        "[tool.poetry.dependencies]\na = { version = [], extras = 'x' }\n",
        "[tool.uv]\nindex = [1]\nextra-index-url = 'x'\nsources = { x = 1, y = [1] }\n",
        "project = 1\ntool = 1\n",
    ],
)
def test_descriptions_of_odd_kinds_stop_nothing(tmp_path: Path, text: str) -> None:
    locks = {"uv.lock": "package = [1, { name = 1 }]\n", "x/poetry.lock": "package = 1\n"}
    proposal = init(tmp_path, {**PIP, **locks, "odd/pyproject.toml": text})
    assert {"web", "job"} <= set(proposal.graph.images)


def test_an_application_of_tests_starts_nothing(tmp_path: Path) -> None:
    files = {
        "a/requirements.txt": "fastapi\nuvicorn\n",
        "a/a/__main__.py": "",
        "a/a/tests/app.py": WEB,
    }
    assert starts(init(tmp_path, files), "a") == "-m a"


def test_addresses_and_indexes_are_undecided_and_their_secrets_hidden(tmp_path: Path) -> None:
    proposal = init(tmp_path, POETRY)
    questions = open_questions(proposal)
    assert any("mine comes from an address" in question for question in questions)
    (index,) = (item for item in proposal.undecided if "package index" in item.message)
    assert index.place == "pyproject.toml:16"
    assert index.setting == '[python]\nextra-index-urls = ["https://pypi.example.com/simple"]'
    assert "secret" not in proposal.text


PIP = {
    "web/requirements.txt": "-r ../common.txt\nuvicorn\n",
    "web/requirements-dev.txt": "pytest\n",
    "web/main.py": "import fastapi\n\napp: object = fastapi.FastAPI()\n",
    "web/test_main.py": "",
    "job/requirements/prod.txt": "requests\n",
    "job/job/__main__.py": "",
    "common.txt": "fastapi\n",
}


def test_requirement_files_are_named_as_they_are(tmp_path: Path) -> None:
    proposal = init(tmp_path, PIP)
    assert requirements(tmp_path, "web") == ["fastapi", "uvicorn"]
    assert requirements(tmp_path, "job") == ["requests"]
    assert recipe(proposal, "job").requirements == ("requirements/prod.txt",)
    assert starts(proposal, "job") == "-m job"
    assert copied(proposal, "web") == {"main.py": "/app/main.py"}
    assert [path for path in proposal.files if "requirements" in path] == [
        "base/python-base/requirements.txt"
    ]
    assert "web/image.toml: nothing says how web is asked" in "\n".join(open_questions(proposal))


def test_of_a_requirement_file_for_pip_alone_the_rest_is_written_beside_it(tmp_path: Path) -> None:
    files = {
        "job/requirements.txt": (
            "--extra-index-url https://pypi.example.com/simple\n-e ../lib\n"
            "redis==5.0 \\\n    --hash=sha256:00\ngit+https://me:secret@example.com/x.git\n"
            "-r more.txt\n"
        ),
        "job/more.txt": "flask\n",
        "job/main.py": "",
        "lib/lib/__init__.py": "",
    }
    proposal = init(tmp_path, files)
    assert recipe(proposal, "job").requirements == ("image-requirements.txt",)
    assert requirements(tmp_path, "job") == ["redis==5.0", "flask"]
    assert "secret" not in proposal.text
    assert copied(proposal, "job") == {"main.py": "/app/main.py", "//lib/lib": "/app/lib"}
    questions = open_questions(proposal)
    assert "job/requirements.txt:5: git+https://example.com/x.git is no requirement" in " ".join(
        questions
    )
    assert "job/requirements.txt:1: names the package index" in " ".join(questions)
    assert any("takes lib, which no file describes" in question for question in questions)


def test_what_a_description_lacks_is_taken_from_the_requirement_file_beside_it(
    tmp_path: Path,
) -> None:
    files = {
        "job/pyproject.toml": '[project]\nname = "x"\ndescription = "Works"\n'
        'dynamic = ["dependencies"]\n',
        "job/requirements.txt": "redis\n",
        "job/main.py": "",
    }
    proposal = init(tmp_path, files)
    assert requirements(tmp_path, "job") == ["redis"]
    assert recipe(proposal, "job").summary == "Works"
    assert not any("dynamic" in question for question in open_questions(proposal))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"pyproject.toml": project("x", more='requires-python = ">=3.12"\n')}, "Python >=3.12"),
        ({"pyproject.toml": project("x"), "main.py": None}, "nothing is found that starts it"),
        (
            {"pyproject.toml": project("x", "flask"), "main.py": None, "app.py": "app = Flask()\n"},
            "no application with a server",
        ),
    ],
)
def test_what_cannot_be_told_leaves_a_project_out_and_says_so(
    tmp_path: Path, more: dict[str, str | None], said: str
) -> None:
    other = {"main.py": "", **more}
    files = {f"other/{path}": text for path, text in other.items() if text is not None}
    proposal = init(tmp_path, {**PIP, **files})
    assert set(proposal.graph.images) == {"python-base", "web", "job"}
    (item,) = (item for item in proposal.undecided if item.image == "other")
    assert item.file == "other/pyproject.toml"
    assert said in item.message
    assert item.hint
    assert said in proposal.text


def test_where_nothing_runs_the_error_says_why(tmp_path: Path) -> None:
    write_tree(tmp_path, {"docs/requirements.txt": "mkdocs\n", "main.go": ""})
    with pytest.raises(WorkspaceError, match="none is found to start anything") as raised:
        initialise(tmp_path, write=True, force=False)
    assert "docs/requirements.txt: nothing is found that starts it" in raised.value.hint
    assert not (tmp_path / "orch.toml").exists()


def test_a_file_in_the_way_of_a_proposed_one_stops_everything(tmp_path: Path) -> None:
    write_tree(tmp_path, {**PIP, "base/python-base/requirements.txt": "x\n"})
    with pytest.raises(WorkspaceError, match="is there already"):
        initialise(tmp_path, write=True, force=False)
    assert not (tmp_path / "orch.toml").exists()
    assert not (tmp_path / "web/image.toml").exists()


def test_a_pyproject_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    proposal = init(tmp_path, {**PIP, "bad/pyproject.toml": "[project\n"})
    assert any(
        one.startswith("bad/pyproject.toml: cannot be read") for one in open_questions(proposal)
    )


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        ("^1.2.3", ">=1.2.3,<2"),
        ("^0.2.3", ">=0.2.3,<0.3"),
        ("^0.0.3", ">=0.0.3,<0.0.4"),
        ("^0.0", ">=0.0,<0.1"),
        ("^0", ">=0,<1"),
        ("~1.2.3", ">=1.2.3,<1.3"),
        ("~1", ">=1,<2"),
        ("~=1.2", "~=1.2"),
        ("1.2", "==1.2"),
        ("1.*", "==1.*"),
        ("*", ""),
        (">=1, <2", ">=1,<2"),
        (">= 1 < 2,!=1.5", ">=1,<2,!=1.5"),
    ],
)
def test_constraints_of_poetry_become_specifiers(constraint: str, expected: str) -> None:
    assert specifiers(constraint) == expected


@pytest.mark.parametrize("constraint", ["^1 || ^2", "latest", "^x"])
def test_constraints_without_a_like_are_refused(constraint: str) -> None:
    with pytest.raises(ValueError, match="is no version"):
        specifiers(constraint)


def test_markers_of_poetry_become_markers() -> None:
    spec = {"version": "^1", "markers": "sys_platform == 'linux'", "python": ">=3.11,<3.13.2"}
    assert requirement_text("x", spec) == (
        "x>=1,<2 ; (sys_platform == 'linux') and python_version >= '3.11' "
        "and python_version < '3.13'"
    )


def test_a_constraint_that_cannot_be_told_is_undecided_and_the_project_asked_for(
    tmp_path: Path,
) -> None:
    table = '[tool.poetry]\nname = "a"\n[tool.poetry.dependencies]\nredis = "^4 || ^5"\n'
    proposal = init(tmp_path, {"a/pyproject.toml": table, "a/main.py": ""})
    assert requirements(tmp_path, "a") == ["redis"]
    assert any(one.startswith("a/pyproject.toml:4: redis: ") for one in open_questions(proposal))
