"""Rules about the version of Python that images have, and that packages are for."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from orchestrator.checks.finding import Finding, Severity
from orchestrator.checks.rule import rule
from orchestrator.checks.rules.requirements import place_of, region_of
from orchestrator.checks.subject import Subject
from orchestrator.model import Image
from orchestrator.resolve.python.markers import marker_environment

_INTERPRETER = re.compile(r"python(3\.\d+)(?:-minimal|-full|-venv)?(?:=.*)?")


@rule("python-version", Severity.ERROR)
def python_version(subject: Subject) -> Iterator[Finding]:
    """An image's Python is another than its packages or its project are for.

    A project said `python = "^3.11"`, which let 3.13 in, and a package that it needs supports
    less than 3.13. `orch lock` resolves for `[python] version` of the settings, and refuses
    packages that do not support it. What it cannot see is an image whose interpreter is another,
    or a project that says of itself that it does not run there.

    ## What to do

    Give `[python] version` of the settings the version that the base installs, or correct
    `requires-python` of the service's `pyproject.toml`.

    ## Example

    ```toml
    # orch.toml
    [python]
    version = "3.13"

    # base/python-base/image.toml
    [system]
    packages = ["python3.11"]       # python-version
    ```
    """
    for image in subject.images():
        python = subject.graph.pythons[image.name]
        for package in image.recipe.system_packages:
            match = _INTERPRETER.fullmatch(package)
            if match and match[1] != python:
                yield python_version.finding(
                    f"{package} is installed, and packages are locked for Python {python}",
                    f'set [python] version = "{match[1]}" in {subject.settings_file}, or install '
                    f"python{python}",
                    file=str(image.file),
                    region=subject.sources.region_of_key(
                        str(image.file), ("system", "packages"), package
                    ),
                    image=image.name,
                )
        yield from _of_project(subject, image, python)


def _of_project(subject: Subject, image: Image, python: str) -> Iterator[Finding]:
    file = (image.path / "pyproject.toml").as_posix()
    text = subject.sources.text(file)
    if text is None:
        return
    for path in (("project", "requires-python"), ("tool", "poetry", "dependencies", "python")):
        asked = _value(text, path)
        if asked and not _allows(asked, python):
            yield python_version.finding(
                f"the project asks for Python {asked}, and {image.name} has {python}",
                "correct what the project asks for, or [python] version in the settings",
                file=file,
                region=subject.sources.region_of_key(file, path, asked),
                image=image.name,
            )


def _value(text: str, path: tuple[str, ...]) -> str:
    try:
        value: Any = tomllib.loads(text)
    except (ValueError, RecursionError):
        return ""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def _allows(asked: str, python: str) -> bool:
    """Tell whether some patch release of a minor version is asked for; `^` is Poetry's."""
    if caret := re.fullmatch(r"\^(\d+)(\.\d+)*", asked.strip()):
        asked = f">={asked.strip()[1:]},<{int(caret[1]) + 1}"
    try:
        specifier = SpecifierSet(asked)
    except InvalidSpecifier:
        return True  # a form that is not known here is nobody's mistake
    return any(specifier.contains(f"{python}.{patch}") for patch in (0, 1, 9, 99))


@rule("marker-never-applies", Severity.WARNING)
def marker_never_applies(subject: Subject) -> Iterator[Finding]:
    """A requirement's marker holds in no image that reads it.

    The line was written for an older Python, or for a developer's laptop. In the image it asks
    for nothing, and who reads it believes that the package is there.

    ## What to do

    Remove the line, or correct its marker.

    ## Example

    ```text
    tomli; python_version < "3.11"      # marker-never-applies with Python 3.11
    ```
    """
    for image in subject.images():
        python = subject.graph.pythons[image.name]
        environments = [
            marker_environment(python, platform) for platform in subject.settings.platforms
        ]
        for line in subject.requirements[image.name]:
            if line.requirement.marker and not any(map(line.applies, environments)):
                yield marker_never_applies.finding(
                    f"{line.requirement.name} is asked for where {line.requirement.marker}, and "
                    f"that is not so with Python {python} on any platform of this workspace",
                    "remove the line, or correct its marker",
                    file=place_of(line)[0],
                    region=region_of(subject, line),
                    image=image.name,
                )
