"""The bridge between the core, which runs in a thread, and the widgets, which do not.

`run_stream` runs a generator, `run_function` a function that reports through a callback. Both give a `Task`
whose signals arrive in the GUI thread. How work ends is always told by exactly one of `returned`, `failed`
and `cancelled`, and then by `ended`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from typing import Any

from qtpy.QtCore import QObject, Signal, Slot
from superqt.utils import WorkerBase

from napari_stainxfer.errors import StainTransferError
from napari_stainxfer.plugin.session import Session
from napari_stainxfer.plugin.thread_control import Control, Stopped

_LOG = logging.getLogger(__name__)

Report = Callable[[Any], None]


class Task(QObject):
    """Work in a thread. Connect to its signals right after it is made: it starts with the event loop.

    Signals
    -------
    yielded
        An event of the work.
    returned
        What the work gave back.
    failed
        A sentence for the user that says what to do.
    cancelled
        The work was stopped with `cancel`.
    ended
        It is over, after one of the three above.
    """

    yielded = Signal(object)
    returned = Signal(object)
    failed = Signal(str)
    cancelled = Signal()
    ended = Signal()

    _alive: set[Task] = set()  # noqa: RUF012  # nobody else need hold a task that runs

    def __init__(self, session: Session, work: Callable[[Report], Any], job: str | None) -> None:
        super().__init__()
        self._session = session
        self._job = job
        self._mute = False
        self.control = Control()
        self.running = True
        if job is not None:
            session.start_job(job)
        self._worker = _Worker(work, self.control)
        self._worker.signals.event.connect(self._on_event)
        self._worker.signals.outcome.connect(self._on_outcome)
        self._alive.add(self)
        session.closing.connect(self.abandon)
        self._worker.start()

    def cancel(self) -> None:
        """Ask the work to stop: it does so at its next event. `cancelled` tells when it has."""
        self._worker.quit()

    def pause(self) -> None:
        """Make the work wait at its next event."""
        self.control.pause()

    def resume(self) -> None:
        """Let it go on."""
        self.control.resume()

    @property
    def paused(self) -> bool:
        """Whether it waits, or will at its next event."""
        return self.control.paused

    def abandon(self) -> None:
        """Cancel, and send no more signals: the widgets that listen are being taken down."""
        self._mute = True
        self.cancel()

    @Slot(object)
    def _on_event(self, event: Any) -> None:
        if not self._mute and not self.control.stopping:
            self.yielded.emit(event)

    @Slot(str, object)
    def _on_outcome(self, kind: str, value: Any) -> None:
        self.running = False
        self._alive.discard(self)
        self._session.closing.disconnect(self.abandon)
        if self._job is not None and not self._session.closed:
            self._session.end_job()
        if self._mute:
            return
        if kind == "cancelled":
            self.cancelled.emit()
        else:
            getattr(self, kind).emit(value)
        self.ended.emit()


def run_stream(
    session: Session, make: Callable[[], Generator[Any, None, Any]], *, job: str | None = None
) -> Task:
    """Run a generator of the core: what it yields is `Task.yielded`, what it returns `Task.returned`.

    Parameters
    ----------
    session
        Of the viewer: the task is stopped when it closes.
    make
        Makes the generator, in the thread. On `Task.cancel` the generator is closed between two events, so
        that a training keeps its checkpoint.
    job
        Name of the session's one long job, if this is one; see `Session.start_job`.

    Raises
    ------
    StainTransferError
        If ``job`` is given and another job runs.
    """

    def work(report: Report) -> Any:
        stream = make()
        try:
            while True:
                try:
                    event = next(stream)
                except StopIteration as end:
                    return end.value
                report(event)
        finally:
            stream.close()

    return Task(session, work, job)


def run_function(session: Session, function: Callable[[Report], Any], *, job: str | None = None) -> Task:
    """Run a function that takes a callback, as in ``lambda report: suggest_pairs(..., on_progress=report)``.

    What is reported is `Task.yielded`. On `Task.cancel` the next report raises an exception, which ends the
    function. Parameters and errors are those of `run_stream`.
    """
    return Task(session, function, job)


class _Signals(QObject):
    # The names that superqt's worker emits, and our two.
    started = Signal()
    finished = Signal()
    _finished = Signal(object)
    returned = Signal(object)
    errored = Signal(object)
    warned = Signal(tuple)
    event = Signal(object)
    outcome = Signal(str, object)


class _Worker(WorkerBase):
    """Work whose outcome is a value, so that superqt has no error to swallow (it does so with RuntimeError).

    napari asks these workers to quit, and waits for them, before the program ends.
    """

    def __init__(self, work: Callable[[Report], Any], control: Control) -> None:
        super().__init__(SignalsClass=_Signals)
        self._work = work
        self._control = control

    def quit(self) -> None:
        super().quit()
        self._control.stop()

    def work(self) -> None:
        kind, value = self._outcome()
        self._work = _nothing  # whatever the work held (networks, slides) is free from here on
        self.signals.outcome.emit(kind, value)

    def _outcome(self) -> tuple[str, Any]:
        def report(event: Any) -> None:
            self._control.check()
            self.signals.event.emit(event)

        try:
            self._control.check()
            return "returned", self._work(report)
        except Stopped:
            return "cancelled", None
        except StainTransferError as error:
            return "failed", str(error)
        except Exception as error:
            _LOG.exception("A task of the plugin failed")
            return "failed", what_failed(error)


def what_failed(error: Exception) -> str:
    """A sentence for an error that nobody foresaw."""
    said = str(error).strip().split("\n")[0] or type(error).__name__
    if isinstance(error, MemoryError) or "out of memory" in said.lower():
        return "There is not enough memory; choose smaller settings or the CPU, or close other programs."
    if isinstance(error, OSError):
        return f"A file could not be read or written ({said}); check that it is there and the disk has room."
    return f"Something went wrong that should not have ({type(error).__name__}: {said}); please report it."


def _nothing(_: Report) -> None:
    """What is left of work that is done."""
