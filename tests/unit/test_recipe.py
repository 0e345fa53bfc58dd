"""Recipes: what each key takes, and how a wrong one is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import WorkspaceError
from orchestrator.model import FileCopy, Recipe
from orchestrator.recipe import read_recipe

ReadRecipe = Callable[[str], Recipe]


@pytest.fixture
def recipe_of(tmp_path: Path) -> ReadRecipe:
    def read(text: str) -> Recipe:
        file = tmp_path / "image.toml"
        file.write_text(text, "utf-8")
        return read_recipe(file)

    return read


def test_a_whole_recipe_is_read(recipe_of: ReadRecipe, tmp_path: Path) -> None:
    (tmp_path / "app.txt").touch()
    recipe = recipe_of(
        """
        from = "python-base"
        summary = "s"
        deprecated = "use x"
        [system]
        packages = ["curl", "libstdc++6", "git=1:2.39.5-0+deb12u1"]
        [python]
        requirements = ["app.txt"]
        bytecode = false
        [[files]]
        from = "src"
        to = "/app"
        mode = "0755"
        owner = "app"
        exclude = ["*.md"]
        [config]
        expose = ["8000", "53/udp"]
        env.A = "1"
        command = ["run"]
        [healthcheck]
        http = "http://127.0.0.1/health"
        interval = "1m"
        [gates]
        max-size = "200 MB"
        max-growth = "10%"
        start-within = "5s"
        """
    )
    assert recipe.system_packages[1:] == ("libstdc++6", "git=1:2.39.5-0+deb12u1")
    assert recipe.files == (FileCopy("src", "/app", 0o755, "app", ("*.md",)),)
    assert recipe.requirements == ("app.txt",)
    assert not recipe.bytecode
    assert (recipe.config.entrypoint, recipe.config.command) == (None, ("run",))
    assert recipe.healthcheck is not None
    assert recipe.healthcheck.interval_s == 60.0
    assert recipe.gates.max_size_bytes == 200_000_000
    assert (recipe.gates.max_growth_percent, recipe.gates.start_within_s) == (10.0, 5.0)
    assert recipe.parent_line == 2


def test_requirements_beside_the_recipe_are_taken_unasked(
    recipe_of: ReadRecipe, tmp_path: Path
) -> None:
    assert recipe_of('from = "a"').requirements == ()
    (tmp_path / "requirements.txt").touch()
    assert recipe_of('from = "a"').requirements == ("requirements.txt",)


def test_an_empty_command_is_not_an_absent_one(recipe_of: ReadRecipe) -> None:
    assert recipe_of('from = "a"\n[config]\ncommand = []').config.command == ()


TYPE_ERRORS = [
    ("from = 3", "from must be a string"),
    ("summary = 3", "summary must be a string"),
    ("deprecated = true", "deprecated must be a string"),
    ("system = 3", "system must be a table"),
    ("system.packages = 'curl'", "packages must be a list of strings"),
    ("system.packages = [1]", "packages must be a list of strings"),
    ("system.optional-libraries = 1", "optional-libraries must be a list of strings"),
    ("python = []", "python must be a table"),
    ("python.requirements = 'x'", "requirements must be a list of strings"),
    ("python.bytecode = 'yes'", "bytecode must be true or false"),
    ("python.bytecode = 1", "bytecode must be true or false"),
    ("python.prefer = []", "prefer must be a table of strings"),
    ("files = 3", "files must be an array of tables"),
    ("files = ['x']", r"files must be an array of tables, written \[\[files\]\]"),
    ("files = [{from = 1, to = '/x'}]", "from must be a string"),
    ("files = [{from = 'x', to = 1}]", "to must be a string"),
    ("files = [{from = 'x', to = '/x', mode = 'rwx'}]", "mode must be permission bits"),
    ("files = [{from = 'x', to = '/x', owner = 0}]", "owner must be a string"),
    ("files = [{from = 'x', to = '/x', exclude = '*.md'}]", "exclude must be a list of strings"),
    ("fetch = {}", "fetch must be an array of tables"),
    ("fetch = [{url = 1}]", "url must be a string"),
    ("config = 'x'", "config must be a table"),
    ("config.user = 1000", "user must be a string"),
    ("config.workdir = []", "workdir must be a string"),
    ("config.env = ['A=1']", "env must be a table of strings"),
    ("config.env.A = [1]", r"env\.A must be a string"),
    ("config.labels.a = true", r"labels\.a must be a string"),
    ("config.expose = [8000]", "expose must be a list of strings"),
    ("config.volumes = '/v'", "volumes must be a list of strings"),
    ("config.entrypoint = 'run'", "entrypoint must be a list of strings"),
    ("config.command = 'run'", "command must be a list of strings"),
    ("config.stop-signal = 15", "stop-signal must be a string"),
    ("healthcheck = true", "healthcheck must be a table"),
    ("healthcheck = {http = 80}", "http must be a string"),
    ("healthcheck = {http = '/', interval = 'soon'}", "interval must be a duration"),
    ("healthcheck = {http = '/', timeout = '1'}", "timeout must be a duration"),
    ("healthcheck = {http = '/', start-period = []}", "start-period must be a duration"),
    ("healthcheck = {http = '/', retries = 1.5}", "retries must be a whole number"),
    ("gates = 1", "gates must be a table"),
    ("gates.max-size = 'big'", "max-size must be a size"),
    ("gates.max-growth = 'x'", "max-growth must be a share"),
    ("gates.start-within = 'x'", "start-within must be a duration"),
    ("gates.read-only = 'no'", "read-only must be true or false"),
    ("gates.severity = 3", "severity must be a string"),
]
DIGEST = "0" * 64
VALUE_ERRORS = [
    ("system.packages = ['Bad Name']", "'Bad Name' is no Debian package name"),
    ("python.requirements = ['gone.txt']", r"gone\.txt does not exist"),
    ("files = [{to = '/x'}]", r"\[\[files\]\] has no 'from'"),
    ("files = [{from = 'x'}]", "'to' must be an absolute path in the image"),
    ("files = [{from = 'x', to = 'app'}]", "'to' must be an absolute path in the image"),
    ("files = [{from = 'x', to = '/a/../b'}]", "'to' must be an absolute path in the image"),
    ("fetch = [{url = 'ftp://x'}]", r"url must be http\(s\) or file"),
    ("fetch = [{url = 'file:///x', sha256 = 'abc'}]", "needs the file's sha256"),
    ("config.workdir = 'app'", "workdir must be an absolute path"),
    ("config.expose = ['http']", 'expose holds ports such as "8000"'),
    ("healthcheck = {}", "needs either http or command"),
    ("healthcheck = {http = '/', command = ['x']}", "needs either http or command"),
    ("gates.severity = 'awful'", "severity must be one of low, medium, high, critical, none"),
    (f"files = [{{from = 'x', to = '/{'n' * 256}'}}]", "a name that no file can have"),
    ("files = [{from = 'x', to = '/x', owner = '99999999999'}]", "owner is nobody: '99999999999'"),
    ("files = [{from = 'x', to = '/x', owner = '\u00b2'}]", "owner is nobody"),
    (f"fetch = [{{url = 'http://[::1', sha256 = '{DIGEST}', to = '/x'}}]", "url must be http"),
    (f"fetch = [{{url = 'http:///x', sha256 = '{DIGEST}', to = '/x'}}]", "url must be http"),
    (f"fetch = [{{url = 'file:///x', sha256 = '{DIGEST}', to = '/'}}]", "path of the file itself"),
    (f"fetch = [{{url = 'file:///x', sha256 = '{DIGEST}', to = '/usr'}}]", "of the file itself"),
    ("config.user = '2147483648'", "user is nobody: '2147483648'"),
    ("config.env = {'A=B' = 'x'}", "'A=B' cannot be the name of a variable"),
    ("config.env = {'' = 'x'}", "'' cannot be the name of a variable"),
    ("config.expose = ['0']", "not '0'"),
    ("config.expose = ['65536/udp']", "not '65536/udp'"),
    ("config.volumes = ['data']", "volumes holds absolute paths, not 'data'"),
    ("healthcheck = {http = '/health'}", "http must be an http address, not '/health'"),
    ("healthcheck = {command = ['x'], retries = -1}", "retries cannot be -1"),
    ("healthcheck = {command = ['x'], timeout = '0.5ms'}", "timeout is no time"),
    ("healthcheck = {command = ['x'], interval = '300000000h'}", "interval is no time"),
    (f"healthcheck = {{command = ['x'], interval = '{'9' * 400}h'}}", "must be a duration"),
    (f"gates.max-size = '{'9' * 400} GB'", "max-size must be a size"),
]
UNKNOWN_KEYS = [
    ("form = 'x'", "unknown key 'form'", "did you mean 'from'?"),
    ("system.package = []", r"\[system\] unknown key 'package'", "did you mean 'packages'?"),
    ("python.requirement = []", "unknown key 'requirement'", "did you mean 'requirements'?"),
    ("files = [{from='x', to='/x', user=''}]", "unknown key 'user'", "known: "),
    ("config.cmd = []", r"\[config\] unknown key 'cmd'", "did you mean 'command'?"),
    ("config.envs = {}", "unknown key 'envs'", "did you mean 'env'?"),
    ("healthcheck = {http='/', retry=1}", "unknown key 'retry'", "did you mean 'retries'?"),
    ("gates.maxsize = 1", r"\[gates\] unknown key 'maxsize'", "did you mean 'max-size'?"),
]


@pytest.mark.parametrize(("text", "message"), [*TYPE_ERRORS, *VALUE_ERRORS])
def test_a_wrong_value_is_refused_with_file_and_line(
    recipe_of: ReadRecipe, tmp_path: Path, text: str, message: str
) -> None:
    text = text if text.startswith("from") else f'from = "a"\n{text}'
    with pytest.raises(WorkspaceError, match=message) as raised:
        recipe_of(text)
    assert raised.value.file == str(tmp_path / "image.toml")
    if "{" not in text:  # the scan for lines does not look into inline tables
        assert raised.value.line == len(text.splitlines())


@pytest.mark.parametrize(("text", "message", "hint"), UNKNOWN_KEYS)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(
    recipe_of: ReadRecipe, text: str, message: str, hint: str
) -> None:
    with pytest.raises(WorkspaceError, match=message) as raised:
        recipe_of(f'from = "a"\n{text}')
    assert raised.value.hint.startswith(hint)


def test_a_recipe_without_parent_says_how_to_give_one(recipe_of: ReadRecipe) -> None:
    with pytest.raises(WorkspaceError, match="no 'from'") as raised:
        recipe_of('summary = "x"')
    assert 'from = "python-base"' in raised.value.hint
