"""What happens to rows that cannot be used: all of them are told at once, or they are left out and counted.

Public sets have a few such rows: an empty answer, a line that was cut. ``data.bad=drop`` leaves them out, and
the description of the data says how many there were of each kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ptx.data.records import Fault, Record, findings, kind_of
from ptx.errors import ConfigError, Problem

#: ``refuse`` tells of them and offers to leave them out, ``drop`` does; ``final`` has nothing to offer
CHOICES = ("refuse", "drop", "final")


@dataclass
class BadRows:
    """The rows of one file that cannot be used; ``left_out`` says why, by place and shape."""

    what: str = "final"
    left_out: dict[tuple[str, int, str], str] = field(default_factory=dict)

    @property
    def drops(self) -> bool:
        """Whether bad rows are left out."""
        return self.what == "drop"

    def sift(
        self, records: Sequence[Record], faults: Sequence[Fault], total: int = 0, shape: str = ""
    ) -> list[Record]:
        """The records that have no fault.

        ``shape`` names the shape where only rows of it are bad, ``total`` the rows that were looked at.

        Raises:
            ConfigError: bad rows are not left out, or a fault spoils the whole file.
        """
        spoilt = [fault for fault in faults if fault.whole or not self.drops]
        if spoilt:
            raise ConfigError(self.told(spoilt, total))
        wrong = {(fault.place.file, fault.place.line) for fault in faults}
        for fault in faults:
            self.left_out.setdefault((fault.place.file, fault.place.line, shape), kind_of(fault.what))
        return [record for record in records if (record.file, record.line) not in wrong]

    def told(self, faults: Sequence[Fault], total: int) -> list[Problem]:
        """The findings, with the offer to leave such rows out where most rows are good."""
        found = findings(faults, total)
        bad = {(fault.place.file, fault.place.line) for fault in faults}
        offered = self.what == "refuse" and not any(fault.whole for fault in faults)
        if not offered or not found or 2 * len(bad) >= total:
            return found
        those = "these rows" if len(bad) > 1 else "this row"
        offer = f"data.bad=drop leaves {those} out ({len(bad)} of {total})"
        last = found[-1]
        fix = f"{last.fix}; or {offer}" if last.fix else offer
        return [*found[:-1], replace(last, fix=fix)]

    def note(self, shape: str) -> str:
        """How many rows were left out and why, for the description of ``shape``; empty for none."""
        kinds = Counter(why for (*_, of), why in self.left_out.items() if of in ("", shape))
        if not kinds:
            return ""
        count = sum(kinds.values())
        listed = "; ".join(f"{number} × {why}" for why, number in kinds.most_common())  # noqa: RUF001
        return f"{count} row{'s' * (count != 1)} left out by data.bad=drop: {listed}"
