"""Does an image hold together: wheels that it can load, no clashes, every library found."""

from __future__ import annotations

from orchestrator.atomic import write_text
from orchestrator.engines.assembler.clashes import check_clashes
from orchestrator.engines.assembler.closure import check_closure, closure_key
from orchestrator.engines.assembler.contents import Contents
from orchestrator.engines.assembler.store import Store
from orchestrator.errors import AssemblyError
from orchestrator.resolve.python.offered import Target
from orchestrator.resolve.python.tags import rank_of
from orchestrator.usage import note_use


def check_tags(contents: Contents, target: Target) -> None:
    """Make sure that the image can load its wheels (PEP 425, PEP 600).

    Raises:
        AssemblyError: A wheel is for another platform, Python or newer C library.
    """
    for wheel, _ in contents.own.wheels:
        if rank_of(wheel.file, target) is None:
            glibc = ".".join(map(str, target.glibc))
            raise AssemblyError(
                f"{wheel.file} does not fit {contents.platform} with Python {target.python} "
                f"and glibc {glibc}",
                file=str(contents.own.image.file),
                hint="run: orch lock",
            )


def check_packages(contents: Contents, store: Store, *, remember: bool) -> None:
    """Check an image's packages against each other; libraries once for the same packages.

    Raises:
        AssemblyError: Two wheels write different bytes to one path, or a library is missing.
    """
    check_clashes(contents, store)
    marker = store.folder / "checked" / closure_key(contents)
    if note_use(marker) is None:
        check_closure(contents, store)
        if remember:
            write_text(marker, "")
