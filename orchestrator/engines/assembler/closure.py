"""Every ELF file of an image finds its libraries inside the image, or the build fails."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.engines.assembler.contents import Contents, Part, infos
from orchestrator.engines.assembler.deb.finalise import final_state
from orchestrator.engines.assembler.deb.ldcache import library_folders
from orchestrator.engines.assembler.deb.libraries import elf_files
from orchestrator.engines.assembler.linking import (
    MissingLibrary,
    foreign_files,
    missing_libraries,
    packages_with,
)
from orchestrator.engines.assembler.store import Store, key_of
from orchestrator.engines.assembler.tree import Tree
from orchestrator.errors import AssemblyError
from orchestrator.model import LockedWheel

_SHOWN = 5


def closure_key(contents: Contents) -> str:
    """Return the key of what the check depends on; pure wheels of ancestors are no part of it."""
    return key_of(
        "closure",
        contents.platform.key,
        [key for part in contents.chain for _, key in part.debs],
        [key for part in contents.inherited for wheel, key in part.wheels if _has_elf(wheel)],
        [key for wheel, key in contents.own.wheels if _has_elf(wheel)],
        sorted(contents.own.image.recipe.optional_libraries),
    )


def check_closure(contents: Contents, store: Store) -> None:
    """Make sure that the image's own ELF files are of its platform and find all they need.

    Raises:
        AssemblyError: A file misses a library, or is for another machine.
    """
    own = [store.read_info(key) for _, key in (*contents.own.debs, *_elf_wheels(contents.own))]
    files = list(elf_files(own))
    if not files:
        return
    machine = contents.platform.machine
    debs = infos(store, contents.chain)
    wheels = [store.read_info(key) for part in contents.chain for _, key in _elf_wheels(part)]
    users = [part.user for part in contents.chain]
    made = final_state(debs, contents.platform, users)
    links = {path: entry.link for path, (entry, _) in made.items() if entry.link}
    texts = {path: text for info in debs for path, text in info.notes.get("contents", {}).items()}
    missing = missing_libraries(
        files,
        Tree.of([*debs, *wheels], links),
        machine,
        library_folders(texts),
        preloaded_below=[contents.venv.root],
        optional=contents.own.image.recipe.optional_libraries,
    )
    file = str(contents.own.image.file)
    if missing:
        raise _missing_error(missing, file)
    if foreign := foreign_files(files, machine):
        hint = "pick a version of its package for that platform, or take the package out"
        raise AssemblyError(f"/{foreign[0]} is not for {contents.platform}", file=file, hint=hint)


def _missing_error(missing: Sequence[MissingLibrary], file: str) -> AssemblyError:
    shown = "; ".join(f"/{row.path} needs {row.library}" for row in missing[:_SHOWN])
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    libraries = sorted({row.library for row in missing})
    packages = ", ".join(packages_with(libraries))
    known = f": {packages}" if packages else ""
    return AssemblyError(
        f"libraries are nowhere in the image: {shown}{more}",
        file=file,
        hint=f"add the Debian package that has them to [system] packages{known}; or, if the code "
        f"does without, [system] optional-libraries = {libraries[:_SHOWN]}",
    )


def _elf_wheels(part: Part) -> list[tuple[LockedWheel, str]]:
    return [(wheel, key) for wheel, key in part.wheels if _has_elf(wheel)]


def _has_elf(wheel: LockedWheel) -> bool:
    """Tell from its tags whether a wheel may hold compiled code."""
    return not wheel.file.endswith("-none-any.whl")
