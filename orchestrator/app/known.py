"""What is known of images before they are looked at: their records, and which are still here."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

from orchestrator.app.opened import Opened
from orchestrator.elsewhere import Elsewhere
from orchestrator.model import Platform
from orchestrator.oci.layout import Layout
from orchestrator.plan import Recorded
from orchestrator.remembered.ahead import StampsAhead
from orchestrator.remembered.unmoved import Unmoved, shared_by_all
from orchestrator.state import State


@dataclass(frozen=True, slots=True)
class Known:
    """Records of a platform's images by name; of those in `here` the layout has everything.

    `problem` says why records could not be read.
    """

    records: Mapping[str, Recorded]
    here: frozenset[str]
    problem: str = ""

    def covers(self, opened: Opened, name: str) -> bool:
        """Tell whether all of a recorded image is in the layout, or known to be in a registry."""
        if name in self.here:
            return True
        held = Elsewhere(opened.paths.elsewhere, Layout(opened.paths.layout))
        return held.covers(self.records[name].digest)


def read_known(opened: Opened, platform: Platform) -> Known:
    """Read the records, and whether the layout has what they are about."""
    state, layout = State(opened.paths.database), Layout(opened.paths.layout)
    records = state.read(platform.key)
    here = (name for name in opened.graph.recipes if name in records)
    whole = frozenset(name for name in here if layout.has_image(records[name].digest))
    return Known(records, whole, state.problem)


def find_unmoved(
    opened: Opened,
    known: Known,
    platform: Platform,
    lock_text: str | None,
    but: Container[str],
    ahead: StampsAhead,
) -> Unmoved:
    """Return what finds images that are as they were recorded and need not be built.

    It finds none of `but`, images that may be built whatever their records say: that needs all
    they are made from. Nor what this machine has not all of, for a registry is asked about that.
    """
    prints = {name: known.records[name].fingerprint for name in known.here if name not in but}
    shared = shared_by_all(platform, opened.workspace.settings, lock_text or "")
    return Unmoved(opened.memory, opened.paths.root, shared, platform, prints, ahead)
