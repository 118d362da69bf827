"""Stop and pause for work in a thread, without a toolkit."""

from __future__ import annotations

import threading


class Stopped(BaseException):
    """Raised inside work that was asked to stop; no ``except Exception`` of the work holds it up."""


class Control:
    """Set from the GUI thread, checked by the work wherever it may be stopped."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._may_run = threading.Event()
        self._may_run.set()

    def stop(self) -> None:
        """Make the next `check` raise, also one that waits now."""
        self._stop.set()
        self._may_run.set()

    def pause(self) -> None:
        """Make the next `check` wait."""
        if not self._stop.is_set():
            self._may_run.clear()

    def resume(self) -> None:
        """End the wait."""
        self._may_run.set()

    @property
    def paused(self) -> bool:
        """Whether work waits at its next `check`."""
        return not self._may_run.is_set()

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stop.is_set()

    def check(self) -> None:
        """Wait while paused.

        Raises
        ------
        Stopped
            If asked to stop.
        """
        self._may_run.wait()
        if self._stop.is_set():
            raise Stopped
