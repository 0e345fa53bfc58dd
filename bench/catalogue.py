"""All cases, by name, in the order in which they are measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from cases import (
    Changed,
    Cold,
    Noop,
    add_package,
    add_requirement,
    all_changes,
    cold_with_nothing,
    edit_file,
    move_every_pin,
    move_one_pin,
)
from cold_dockerfiles import ColdDockerfiles
from histories import Histories
from lab import Lab
from planning import Plan
from pushing import push_after_base_bump
from sides import Side
from throughput import deb_to_layer, wheel_to_layer

_SOME = (Side.ORCH, Side.ORCH_DOCKERFILES, Side.BAKE)

CASES: Mapping[str, Callable[[Lab, str, Sequence[Side]], None]] = {
    "noop-16": Noop(16),
    "edit-file": Changed(edit_file),
    "service-requirement": Changed(add_requirement, _SOME),
    "service-pin": Changed(move_one_pin, _SOME),
    "every-pin": Changed(move_every_pin, _SOME),
    "root-package": Changed(add_package, _SOME),
    "all-changes": all_changes,
    "push": push_after_base_bump,
    "wheel-layer": wheel_to_layer,
    "deb-layer": deb_to_layer,
    "plan-100": Plan(100),
    "plan-1000": Plan(1000),
    "plan-5000": Plan(5000),
    "plan-10000": Plan(10_000),
    "history-10000": Histories(10_000),
    "cold-bytecode": Cold(bytecode=True),
    "cold": Cold(bytecode=False),
    "cold-nothing": cold_with_nothing,
    "cold-dockerfiles-100": ColdDockerfiles(100),
    "cold-dockerfiles-300": ColdDockerfiles(300),
    "noop-100": Noop(100),
    "noop-300": Noop(300),
    "noop-1000": Noop(1000),
}

LONG = ("plan-5000", "cold-dockerfiles-300")
"""What only `--full` measures."""

IN_PROCESS = ("wheel-layer", "deb-layer")
"""What runs no command: the work is done in the bench's own process."""
