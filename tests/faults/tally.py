"""What a run of the fault suite comes to, counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """How often each fault was met, and what came of it; a wrong digest or store fails its test."""

    faults: Counter[str] = field(default_factory=Counter)
    names: dict[str, set[str]] = field(default_factory=dict)
    heals: Counter[str] = field(default_factory=Counter)

    def count(self, fault: str, name: str = "") -> None:
        self.faults[fault] += 1
        if name:
            self.names.setdefault(fault, set()).add(name)

    def lines(self) -> list[str]:
        found = []
        for fault, count in sorted(self.faults.items()):
            names = self.names.get(fault)
            at = f" at {len(names)} named points" if names else ""
            found.append(f"{count:>5}  {fault}{at}")
        for what, count in sorted(self.heals.items()):
            found.append(f"{count:>5}  times fsck found, before the next run: {what}")
        return found
