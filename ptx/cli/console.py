"""Progress in the terminal: a live line where there is a terminal, a plain line now and then where there is none."""

from __future__ import annotations

import time
from typing import Self

from rich.console import Console as RichConsole
from rich.live import Live
from rich.text import Text

SECONDS_BETWEEN_LINES = 10.0
MOST_METRICS = 3  # the rest is in events.jsonl


class Terminal:
    """Prints what runs say; keeps one live line for the step that is working."""

    def __init__(self) -> None:
        self.rich = RichConsole(highlight=False, soft_wrap=True)
        self._live: Live | None = None
        self._last_line = 0.0

    def say(self, text: str) -> None:
        """Print a line, above the live one."""
        self._stop()
        self.rich.print(Text(text))

    def progress(self, label: str, metrics: dict[str, float], step: int, total: int | None) -> None:
        """Show where a step stands."""
        line = progress_line(label, metrics, step, total)
        if self.rich.is_terminal:
            if self._live is None:
                self._live = Live(console=self.rich, refresh_per_second=8, transient=True)
                self._live.start()
            self._live.update(Text(line, overflow="ellipsis", no_wrap=True))
        elif time.monotonic() - self._last_line > SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            self.rich.print(Text(line))

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()


def progress_line(label: str, metrics: dict[str, float], step: int, total: int | None) -> str:
    """``dpo  40/120  ━━━━────────  loss 0.6931  3.4k tok/s  ETA 0:32``."""
    parts = [f"{label}  {step}/{total}" if total else f"{label}  {step}"]
    if total:
        filled = round(16 * min(step / total, 1.0))
        parts.append("━" * filled + "─" * (16 - filled))
    shown = [name for name in metrics if name not in ("eta_seconds", "tokens_per_second")]
    parts += [f"{name} {metrics[name]:.4g}" for name in shown[:MOST_METRICS]]
    speed = metrics.get("tokens_per_second")
    if speed is not None:
        parts.append(f"{speed / 1000:.1f}k tok/s" if speed >= 1000 else f"{speed:.0f} tok/s")
    if "eta_seconds" in metrics:
        parts.append(f"ETA {clock(metrics['eta_seconds'])}")
    return "  ".join(parts)


def clock(seconds: float) -> str:
    """``1:02:03`` or ``2:03``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
