"""A heartbeat in the GUI thread, and a watcher who tells which part of a late beat is this plugin's.

Imports nothing of the plugin, so that it can watch a process in which nothing is imported yet.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from qtpy.QtCore import Qt, QTimer

BAR_MS = 100
BEAT_MS = 5
WATCH_MS = 5
VERBOSE = "STAINXFER_VERBOSE" in os.environ


class Load(NamedTuple):
    """What a thread had since it began, in seconds: time on a core, and time ready to run without one."""

    ran: float
    queued: float


class Look(NamedTuple):
    """What the GUI thread did when the watcher looked."""

    at: float
    threads: dict[int, Load]
    ours: str
    place: str


class Hold(NamedTuple):
    """A late beat, in milliseconds: the whole of it and the part that is this plugin's."""

    whole: float
    ours: float
    places: list[str]


class Heartbeat:
    """Beats in the GUI thread; a gap between two beats is the time for which something held it.

    A watcher looks every few milliseconds at what the GUI thread does. Of a late beat, this plugin's part is
    the time for which the GUI thread was in its functions or in what they called, and the time for which
    another thread of this process kept the interpreter for itself. What is left is napari's slicing and
    drawing (which a software renderer makes slow), and the time for which other programs had the cores.
    """

    def __init__(self) -> None:
        self._beats: list[float] = []
        self._looks: list[Look] = []
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(BEAT_MS)
        self._timer.timeout.connect(self._beat)
        self._gui, self._native = threading.get_ident(), threading.get_native_id()
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Heartbeat:
        self._beat()
        self._timer.start()
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.stop()
        self._beat()
        self._done.set()
        self._watcher.join()

    def _beat(self) -> None:
        self._beats.append(time.perf_counter())

    def _watch(self) -> None:
        self._native_watcher = threading.get_native_id()
        while not self._done.wait(WATCH_MS / 1000):
            frame: Any = sys._current_frames()[self._gui]
            self._looks.append(Look(time.perf_counter(), _loads(), *_words(frame)))

    def holds(self) -> list[Hold]:
        """Every gap between two beats."""
        found = []
        for start, end in itertools.pairwise(self._beats):
            ours, places = 0.0, []
            if 1000 * (end - start) > BAR_MS / 2:
                for before, look in itertools.pairwise(self._looks):
                    share = _overlap((before.at, look.at), (start, end))
                    ours += share * self._ours(before, look)
                    if share:
                        places.append(f"{1000 * (look.at - before.at):3.0f} ms {look.ours or look.place}")
            found.append(Hold(1000 * (end - start), 1000 * ours, places))
        return found

    def _ours(self, before: Look, look: Look) -> float:
        """Seconds between two looks that are this plugin's."""
        passed = look.at - before.at
        if look.ours:
            return passed - (look.threads[self._native].queued - before.threads[self._native].queued)
        busy = {
            thread: sum(load) - sum(before.threads.get(thread, Load(0.0, 0.0)))
            for thread, load in look.threads.items()
        }
        # Neither watcher nor window got on although each had a core, and another thread worked all the
        # while: that one kept the interpreter for itself.
        starved = passed - busy.pop(self._native_watcher) - WATCH_MS / 1000
        waited = passed - busy.pop(self._native)
        return max(0.0, min(starved, waited, max(busy.values(), default=0.0)))

    def tell(self, what: str) -> float:
        """Print the figures; return the longest time for which this plugin held the GUI thread."""
        holds = self.holds()
        whole = np.array([hold.whole for hold in holds])
        ours = max(hold.ours for hold in holds)
        late = f"{(whole > BAR_MS).sum()} of {len(whole)} over {BAR_MS} ms"
        print(
            f"\n{what}: longest hold {whole.max():.0f} ms, p99 {np.percentile(whole, 99):.0f} ms, {late}; "
            f"of one hold this plugin {ours:.0f} ms at most"
        )
        for hold in holds:
            if hold.whole > BAR_MS:
                print(f"  {hold.whole:.0f} ms, this plugin {hold.ours:.0f} ms")
                for place in hold.places if hold.ours > BAR_MS or VERBOSE else []:
                    print(f"    {place}")
        return ours


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Share of an interval that lies in another."""
    common = min(one[1], other[1]) - max(one[0], other[0])
    return max(0.0, common / (one[1] - one[0]))


def _words(frame: Any) -> tuple[str, str]:
    """Which functions of this package a thread is in, outermost first, and where it is."""
    ours = []
    place = f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}:{frame.f_lineno}"
    while frame is not None:
        if "napari_stainxfer" in frame.f_code.co_filename:
            ours.append(f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}")
        frame = frame.f_back
    return " > ".join([*ours[::-1], place]) if ours else "", place


def _loads() -> dict[int, Load]:
    """Of every thread of this process but those of the software renderer."""
    found = {}
    for task in Path("/proc/self/task").iterdir():
        try:
            if not (task / "comm").read_text().startswith("llvmpipe"):
                ran, queued, _ = (task / "schedstat").read_text().split()
                found[int(task.name)] = Load(int(ran) / 1e9, int(queued) / 1e9)
        except OSError:  # the thread has ended
            continue
    return found
