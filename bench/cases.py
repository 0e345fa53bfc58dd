"""The cases of building: what is changed, who builds after it, what is measured."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from equality import check_equal
from lab import BenchError, Lab
from processes import Measured
from results import summarise
from seed import EXTRA_PACKAGES, raise_own
from sides import Side, Workspace
from tables import EQUAL
from trees import (
    ONE,
    Own,
    Tree,
    light_tree,
    real_tree,
    write_dockerfile,
    write_pins,
    write_recipes,
)

from orchestrator.lockfile import parse_lock

MB = 1e6
_LIGHT = (1000, 300, 100)
_PATIENCE = 2
"""How many shares of time a side's no-op may need, as far as fewer images tell, to be tried."""
Change = Callable[[Lab, Workspace, int], None]
"""Makes a change, which is the same for the same number, and for no other."""


def interleaved(
    lab: Lab,
    case: str,
    workspaces: Sequence[Workspace],
    change: Callable[[Workspace, int], None],
    build: Callable[[Workspace], Measured] | None = None,
) -> None:
    """Build each workspace in turn after a change, again and again.

    A side that has taken its share of time already has fewer runs, one at least. One that fails
    has no more, and the others go on.
    """
    build = build or lab.build
    spent = dict.fromkeys((workspace.side for workspace in workspaces), 0.0)
    for run in range(lab.runs):
        for workspace in workspaces:
            side = workspace.side
            if run and spent[side] * (1 + 1 / run) > lab.share_s:
                continue
            try:
                change(workspace, run)
                done = build(workspace)
            except BenchError as error:
                lab.put_failure(case, side, error)
                spent[side] = math.inf
                continue
            spent[side] += done.seconds
            note = f"not done after {lab.limit_s:.0f} s" if done.timed_out else ""
            value = None if done.timed_out else done.seconds
            lab.put(case, "seconds", side.value, run, value, "s", note)


def built(lab: Lab, case: str, sides: Sequence[Side]) -> list[Workspace]:
    """Return the sides' copies of the real tree, built."""
    return _ready(lab, case, sides, lab.real)


def _ready(
    lab: Lab, case: str, sides: Sequence[Side], make: Callable[[Side], Workspace]
) -> list[Workspace]:
    """Make the sides' workspaces; of one that cannot be made the table says why."""
    found = []
    for side in sides:
        try:
            found.append(make(side))
        except BenchError as error:
            lab.put_failure(case, side, error)
    return found


def show_equal(lab: Lab, case: str, workspaces: Sequence[Workspace]) -> None:
    """Compare what orch and bake hold, where both are there."""
    by_side = {workspace.side: workspace for workspace in workspaces}
    if {Side.ORCH, Side.BAKE} <= set(by_side):
        found = check_equal(lab, by_side[Side.ORCH], by_side[Side.BAKE])
        lab.put(case, EQUAL, "orch and bake", 0, None, "", found)


# --- nothing, and changes ---


@dataclass(frozen=True, slots=True)
class Noop:
    """Nothing changed."""

    images: int

    def __call__(self, lab: Lab, case: str, sides: Sequence[Side]) -> None:
        if self.images == 16:
            workspaces = built(lab, case, sides)
            show_equal(lab, case, workspaces)
        else:
            workspaces = _ready(lab, case, sides, lambda side: self._light(lab, case, side))
        interleaved(lab, case, workspaces, lambda _workspace, _run: None)
        for workspace in workspaces:
            if workspace.side is Side.ORCH:
                put_memory(lab, case, lab.build(workspace, memory=True))

    def _light(self, lab: Lab, case: str, side: Side) -> Workspace:
        """Return a side's tree, built, unless fewer images say that it would take for ever.

        Raises:
            BenchError: It cannot be built within the limit, or would not be.
        """
        images, seconds = _largest_noop(lab, side, self.images)
        if images and seconds * self.images / images > _PATIENCE * lab.share_s:
            raise BenchError(f"not tried: {images} images took {seconds:.0f} s")
        workspace = lab.workspace(side, light_tree(self.images), case)
        return lab.first_build(case, workspace)


def _largest_noop(lab: Lab, side: Side, below: int) -> tuple[int, float]:
    """Return the images and the seconds of a side's largest no-op of fewer images, or zeros."""
    rows = summarise(lab.results.figures())
    for images in (count for count in _LIGHT if count < below):
        found = rows.get((f"noop-{images}", "seconds"), {}).get(side.value)
        if found and found.median is not None:
            return images, found.median
    return 0, 0.0


def put_memory(lab: Lab, case: str, done: Measured) -> None:
    """Keep the peaks of memory of orch's run."""
    lab.put(case, "memory, all processes", Side.ORCH.value, 0, done.pss_bytes / MB, "MB")
    lab.put(case, "memory, the largest", Side.ORCH.value, 0, done.largest_bytes / MB, "MB")


@dataclass(frozen=True, slots=True)
class Changed:
    """The real tree after a change, which is never the same twice."""

    change: Change
    limited_to: tuple[Side, ...] = tuple(Side)

    def __call__(self, lab: Lab, case: str, sides: Sequence[Side]) -> None:
        workspaces = built(lab, case, [side for side in sides if side in self.limited_to])

        def change(workspace: Workspace, run: int) -> None:
            self.change(lab, workspace, lab.next_number())
            settle(lab, case, workspace, run)

        interleaved(lab, case, workspaces, change)


def settle(lab: Lab, case: str, workspace: Workspace, run: int) -> None:
    """Write what a change of the tree makes of the workspace: for recipes, a new lock."""
    root, tree = workspace.root, workspace.tree
    if workspace.side.reads_recipes:
        deciding = [root / "constraints.txt", *sorted(root.glob("*/*/image.toml"))]
        before = [file.read_text() for file in deciding]
        write_recipes(root, tree)
        if before != [file.read_text() for file in deciding]:
            lab.lock(workspace, case, run)
        return
    lock = parse_lock(lab.lock_text)
    for image in tree.images.values():
        write_pins(root, tree, image, lock)
        write_dockerfile(root, tree, image, f"{lab.url}/simple", workspace.side.prefix)


def edit_file(_lab: Lab, workspace: Workspace, number: int) -> None:
    """Edit one file of a service."""
    file = workspace.root / workspace.tree.images[ONE].folder / "app/module_00.py"
    file.write_text(f"{file.read_text().partition('EDITED')[0]}EDITED = {number}\n")


def add_requirement(lab: Lab, workspace: Workspace, number: int) -> None:
    """Let one service gain a requirement; what it gained before goes."""
    own = workspace.tree.own
    for name in [name for name in own if name.startswith("orch-bench-new")]:
        del own[name]
    raise_own(lab, workspace.tree, f"orch-bench-new-{number}", Own(ONE, "1.0"))


def move_one_pin(lab: Lab, workspace: Workspace, number: int) -> None:
    """Move a pin that one service holds."""
    raise_own(lab, workspace.tree, "orch-bench-one", Own(ONE, f"1.{number}"))


def move_every_pin(lab: Lab, workspace: Workspace, number: int) -> None:
    """Move a pin that every image holds."""
    own = Own(workspace.tree.root.name, f"1.{number}")
    raise_own(lab, workspace.tree, "orch-bench-all", own)


def add_package(_lab: Lab, workspace: Workspace, _number: int) -> None:
    """Let the root base gain a Debian package, in another order for each side of the engine.

    What one side built would otherwise be there for the next.
    """
    packages = workspace.tree.root.packages
    order = EXTRA_PACKAGES[::-1] if workspace.side is Side.ORCH_DOCKERFILES else EXTRA_PACKAGES
    packages.append(next(name for name in order if name not in packages))


def all_changes(lab: Lab, case: str, sides: Sequence[Side]) -> None:
    """Make all changes together, the same on both sides, and compare what these hold then."""
    workspaces = built(lab, case, [side for side in sides if side in {Side.ORCH, Side.BAKE}])
    number, packages = lab.next_number(), real_tree().root.packages
    for workspace in workspaces:
        workspace.tree.root.packages[:] = [*packages, *EXTRA_PACKAGES]
        for change in (edit_file, add_requirement, move_one_pin, move_every_pin):
            change(lab, workspace, number)
        settle(lab, case, workspace, 0)
        lab.build(workspace)
    show_equal(lab, case, workspaces)


# --- cold ---


@dataclass(frozen=True, slots=True)
class Cold:
    """Nothing built; downloads warm."""

    bytecode: bool

    def __call__(self, lab: Lab, case: str, sides: Sequence[Side]) -> None:
        sides = [side for side in sides if side in {Side.ORCH, Side.BAKE}]
        tree = real_tree(bytecode=self.bytecode)
        workspaces = _ready(lab, case, sides, lambda side: _warmed(lab, case, tree, side))

        def build(workspace: Workspace) -> Measured:
            return lab.build(workspace, no_cache=workspace.side is Side.BAKE)

        interleaved(lab, case, workspaces, lambda one, _run: forget(lab, one), build)
        show_equal(lab, case, workspaces)
        for workspace in workspaces:
            if workspace.side is Side.ORCH:
                forget(lab, workspace)
                put_memory(lab, case, lab.build(workspace, memory=True))
            shutil.rmtree(workspace.root)


def _warmed(lab: Lab, case: str, tree: Tree, side: Side) -> Workspace:
    """Return a side's tree; bake has built it, for its caches of downloads are to be warm."""
    workspace = lab.workspace(side, tree, case)
    return lab.first_build(case, workspace) if side is Side.BAKE else workspace


def forget(lab: Lab, workspace: Workspace) -> None:
    """Throw away what orch made; bake is told not to look at what it has."""
    if workspace.side is Side.ORCH:
        lab.forget()
        shutil.rmtree(workspace.root / ".orch", ignore_errors=True)


def cold_with_nothing(lab: Lab, case: str, sides: Sequence[Side]) -> None:
    """Neither anything built nor anything downloaded; the mirror is on this machine."""
    sides = [side for side in sides if side in {Side.ORCH, Side.BAKE}]
    workspaces = [lab.workspace(side, real_tree(), case) for side in sides]
    cache = lab.work / "empty-cache"

    def empty(workspace: Workspace, _run: int) -> None:
        if workspace.side is Side.ORCH:
            settings = f'[debian]\nmirror = "{lab.url}/debian"\n'
            (workspace.root / "orch.toml").write_text(settings)
            shutil.rmtree(cache, ignore_errors=True)
            shutil.rmtree(workspace.root / ".orch", ignore_errors=True)
        else:
            lab.run(["docker", "builder", "prune", "--all", "--force"], workspace.root)

    def build(workspace: Workspace) -> Measured:
        return lab.build(workspace, ORCH_CACHE=str(cache))

    interleaved(lab, case, workspaces, empty, build)
    shutil.rmtree(cache, ignore_errors=True)
