"""The virtual environment that wheels are laid into, before any of them."""

from __future__ import annotations

from orchestrator.engines.assembler.wheel.segment import Venv
from orchestrator.oci.tar import Entry, EntryKind

HOME = "/usr/bin"
"""Where Debian's interpreter is."""


def venv_entries(venv: Venv, home: str = HOME) -> list[tuple[Entry, bytes]]:
    """Return what `python -m venv --without-pip` makes, on the image's own interpreter, in `home`.

    Source: PEP 405; the `venv` module's documentation.
    """
    python = f"python{venv.python}"
    text = (
        f"home = {home}\n"
        "include-system-site-packages = false\n"
        f"version = {venv.python}\n"
        f"executable = {home}/{python}\n"
    ).encode()
    root = venv.root
    return [
        (Entry(f"{root}/pyvenv.cfg", size_bytes=len(text)), text),
        _link(f"{root}/bin/python", f"{home}/{python}"),
        _link(f"{root}/bin/python3", "python"),
        _link(f"{root}/bin/{python}", "python"),
        _link(f"{root}/lib64", "lib"),
        (Entry(venv.site_packages, EntryKind.DIRECTORY, 0o755), b""),
    ]


def _link(path: str, target: str) -> tuple[Entry, bytes]:
    return Entry(path, EntryKind.SYMLINK, 0o777, link=target), b""
