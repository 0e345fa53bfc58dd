"""What the dynamic linker would find in an image, whoever made it."""

from __future__ import annotations

import posixpath
from collections.abc import Collection

from orchestrator.engines.assembler.deb.ldcache import library_folders
from orchestrator.engines.assembler.linking import MissingLibrary, missing_libraries
from orchestrator.model import Platform
from orchestrator.verify.contents import Contents


def find_missing(
    contents: Contents, platform: Platform, venv: str, optional: Collection[str]
) -> list[MissingLibrary]:
    """Return the libraries that the image's ELF files need and that are nowhere in it.

    Python packages may bring libraries of their own, which their code loads by path.
    """
    sites = {posixpath.dirname(posixpath.dirname(wheel.record)) for wheel in contents.wheels}
    return missing_libraries(
        list(contents.elves.values()),
        contents.tree,
        platform.machine,
        _folders(contents, platform),
        preloaded_below=[venv, *sorted(sites)],
        optional=optional,
    )


def shared_libraries(contents: Contents, platform: Platform) -> list[str]:
    """Return the names of libraries that ELF files need and that the linker's folders have."""
    folders = _folders(contents, platform)
    needed = {
        name
        for elf in contents.elves.values()
        if elf.machine == platform.machine
        for name in elf.needed
        if "/" not in name and not name.startswith("ld-")
    }
    return sorted(
        name
        for name in needed
        if any(contents.tree.resolve(posixpath.join(folder, name)) for folder in folders)
    )


def _folders(contents: Contents, platform: Platform) -> list[str]:
    """Return the linker's folders: those of its settings, of Debian's and of Alpine's linker."""
    configured = {
        path: text for path, text in contents.texts.items() if path.startswith("etc/ld.so.conf")
    }
    built_in = [f"/lib/{platform.multiarch}", f"/usr/lib/{platform.multiarch}"]
    plain = ["/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib"]
    return [*library_folders(configured), *built_in, *plain]
