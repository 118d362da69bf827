"""How the command line talks: progress to the terminal, results to standard output."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from napari_stainxfer.applying import ExportProgress
from napari_stainxfer.segmentation import SegmenterEvent, SegmenterStep
from napari_stainxfer.training import DoneEvent, EpochEvent, Event, MeasureEvent, NoticeEvent, StepEvent

terminal = Console(stderr=True, highlight=False)
"""Progress and messages go to standard error, so that standard output holds results alone."""


def say(message: str) -> None:
    """Tell the user something, on standard error."""
    terminal.print(message, markup=False, soft_wrap=True)


def give(results: dict[str, Any], *, as_json: bool) -> None:
    """Print results on standard output: one JSON object, or a line each."""
    if as_json:
        print(json.dumps(results, default=str, allow_nan=False))  # noqa: T201 (this is the one place that prints)
        return
    width = max(map(len, results), default=0)
    for name, value in results.items():
        text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
        print(f"{name:<{width}}  {text}")  # noqa: T201


class Bar:
    """One progress bar with its rate and the time left."""

    def __init__(self, progress: Progress, title: str) -> None:
        self._progress = progress
        self._task = progress.add_task(title, total=1.0, note="")

    def share(self, done: float) -> None:
        """Set the share that is done, 0 to 1."""
        self._progress.update(self._task, completed=done)

    def training(self, event: Event) -> None:
        """Show a training event."""
        if isinstance(event, StepEvent):
            note = f"loss {event.losses['generator']:.3f}, {_left(event.seconds_left)}"
            self._progress.update(self._task, completed=event.step / event.total_steps, note=note)
        elif isinstance(event, MeasureEvent):
            self._progress.update(self._task, completed=event.done / event.total, note=event.slide)
        elif isinstance(event, NoticeEvent):
            say(event.message)
        elif isinstance(event, DoneEvent):
            self._progress.update(self._task, completed=1.0, note=f"{event.seconds:.0f} s")
        else:
            assert isinstance(event, EpochEvent)

    def segmenter(self, event: SegmenterEvent) -> None:
        """Show an event of a segmenter's training."""
        if isinstance(event, SegmenterStep):
            note = f"loss {event.loss:.3f}, {_left(event.seconds_left)}"
            self._progress.update(self._task, completed=event.step / event.total_steps, note=note)
        else:
            self._progress.update(self._task, completed=1.0, note=f"{event.seconds:.0f} s")

    def export(self, progress: ExportProgress) -> None:
        """Show how far an export is."""
        note = f"{progress.mpx_per_second:.2f} Mpx/s, {_left(progress.seconds_left)}"
        self._progress.update(self._task, completed=progress.done_tiles / progress.total_tiles, note=note)


@contextmanager
def bar(title: str) -> Iterator[Bar]:
    """Draw a progress bar while the block runs."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=terminal) as progress:
        yield Bar(progress, title)


def _left(seconds: float) -> str:
    return f"{timedelta(seconds=round(seconds))} left"
