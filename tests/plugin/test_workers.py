"""The thread bridge: events in the GUI thread, and every end told exactly once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from typing import Any

import pytest

pytest.importorskip("napari", reason="napari is not installed")
pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from qtpy.QtCore import QThread, QThreadPool

from napari_stainxfer.errors import StainTransferError, TrainingError
from napari_stainxfer.plugin.session import Session
from napari_stainxfer.plugin.workers import Task, run_function, run_stream


class Heard:
    """Notes what a task says, and in which thread."""

    def __init__(self, task: Task) -> None:
        self.said: list[Any] = []
        self.threads: set[Any] = set()
        self.ended = False
        task.yielded.connect(lambda event: self.note("event", event))
        task.returned.connect(lambda value: self.note("returned", value))
        task.failed.connect(lambda message: self.note("failed", message))
        task.cancelled.connect(lambda: self.note("cancelled"))
        task.ended.connect(self.end)

    def note(self, *what: Any) -> None:
        self.said.append(what)
        self.threads.add(threading.current_thread())

    def end(self) -> None:
        self.note("ended")
        self.ended = True


@pytest.fixture
def session(viewer: Any, qapp: Any) -> Any:
    yield Session.of(viewer)
    assert QThreadPool.globalInstance().waitForDone(5000)


def heard_to_the_end(task: Task, qtbot: Any) -> Heard:
    heard = Heard(task)
    qtbot.waitUntil(lambda: heard.ended, timeout=5000)
    return heard


def test_a_stream_gives_its_events_and_its_result(session: Session, qtbot: Any) -> None:
    where: list[Any] = []

    def stream() -> Generator[int, None, str]:
        where.append(threading.current_thread())
        yield 1
        yield 2
        return "model"

    heard = heard_to_the_end(run_stream(session, stream), qtbot)
    assert heard.said == [("event", 1), ("event", 2), ("returned", "model"), ("ended",)]
    assert heard.threads == {threading.main_thread()}
    assert where != [threading.main_thread()]


def test_a_function_reports_and_returns(session: Session, qtbot: Any) -> None:
    def function(report: Callable[[float], None]) -> list[int]:
        report(0.5)
        return [3]

    heard = heard_to_the_end(run_function(session, function), qtbot)
    assert heard.said == [("event", 0.5), ("returned", [3]), ("ended",)]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TrainingError("Training diverged; lower the learning rate."), "Training diverged"),
        (RuntimeError("CUDA out of memory. Tried to allocate"), "not enough memory"),
        (RuntimeError("mat1 and mat2"), "please report"),
        (MemoryError(), "not enough memory"),
        (FileNotFoundError("slide.svs"), "it is there"),
        (ZeroDivisionError("division by zero"), "please report"),
    ],
)
def test_every_error_arrives_as_a_sentence(session: Session, qtbot: Any, error: Exception, said: str) -> None:
    def stream() -> Generator[int, None, None]:
        yield 1
        raise error

    heard = heard_to_the_end(run_stream(session, stream, job="Training"), qtbot)
    assert [word[0] for word in heard.said] == ["event", "failed", "ended"]
    assert said in heard.said[1][1]
    assert session.job is None


def test_cancel_closes_the_stream_between_two_events(session: Session, qtbot: Any) -> None:
    closed: list[bool] = []

    def stream() -> Generator[int, None, None]:
        try:
            for number in range(100_000):
                time.sleep(0.005)
                yield number
        finally:
            closed.append(True)  # where a training keeps its checkpoint

    task = run_stream(session, stream, job="Training")
    heard = Heard(task)
    qtbot.waitUntil(lambda: len(heard.said) > 3, timeout=5000)
    assert session.job == "Training"
    task.cancel()
    qtbot.waitUntil(lambda: heard.ended, timeout=5000)
    assert heard.said[-2:] == [("cancelled",), ("ended",)]
    assert closed == [True]
    assert session.job is None
    assert not task.running


def test_cancel_ends_a_function_at_its_next_report(session: Session, qtbot: Any) -> None:
    def function(report: Callable[[int], None]) -> None:
        for number in range(100_000):
            time.sleep(0.005)
            try:
                report(number)
            except Exception:
                pytest.fail("work must not be able to swallow the stop")

    task = run_function(session, function)
    heard = Heard(task)
    qtbot.waitUntil(lambda: len(heard.said) > 3, timeout=5000)
    task.cancel()
    qtbot.waitUntil(lambda: heard.ended, timeout=5000)
    assert heard.said[-2:] == [("cancelled",), ("ended",)]


def test_pause_holds_the_work_and_cancel_ends_a_pause(session: Session, qtbot: Any) -> None:
    steps: list[int] = []

    def stream() -> Generator[int, None, None]:
        for number in range(100_000):
            time.sleep(0.002)
            steps.append(number)
            yield number

    task = run_stream(session, stream)
    heard = Heard(task)
    qtbot.waitUntil(lambda: len(steps) > 3, timeout=5000)
    task.pause()
    assert task.paused
    qtbot.wait(50)
    held = len(steps)
    qtbot.wait(100)
    assert len(steps) == held
    task.resume()
    qtbot.waitUntil(lambda: len(steps) > held + 3, timeout=5000)
    task.pause()
    task.cancel()
    qtbot.waitUntil(lambda: heard.ended, timeout=5000)
    assert heard.said[-2:] == [("cancelled",), ("ended",)]


def test_a_second_job_is_refused_and_the_first_goes_on(session: Session, qtbot: Any) -> None:
    def stream() -> Generator[int, None, int]:
        yield 1
        time.sleep(0.1)
        return 5

    task = run_stream(session, stream, job="Training")
    heard = Heard(task)
    with pytest.raises(StainTransferError, match="Training is running"):
        run_stream(session, stream, job="Export")
    beside = Heard(run_stream(session, stream))  # small work is no job
    qtbot.waitUntil(lambda: heard.ended and beside.ended, timeout=5000)
    assert ("returned", 5) in heard.said
    assert ("returned", 5) in beside.said


def test_the_next_job_can_start_when_one_has_ended(session: Session, qtbot: Any) -> None:
    started: list[Heard] = []

    def stream() -> Generator[int, None, None]:
        yield 1

    task = run_stream(session, stream, job="Export")
    task.returned.connect(lambda _: started.append(Heard(run_stream(session, stream, job="Export"))))
    qtbot.waitUntil(lambda: bool(started) and started[0].ended, timeout=5000)


def test_closing_the_viewer_stops_the_work_and_says_nothing_more(session: Session, qtbot: Any) -> None:
    closed: list[bool] = []

    def stream() -> Generator[int, None, None]:
        try:
            for number in range(100_000):
                time.sleep(0.005)
                yield number
        finally:
            closed.append(True)

    task = run_stream(session, stream, job="Training")
    heard = Heard(task)
    qtbot.waitUntil(lambda: len(heard.said) > 3, timeout=5000)
    session.close()
    before = len(heard.said)
    qtbot.waitUntil(lambda: not task.running, timeout=5000)
    assert closed == [True]
    assert len(heard.said) == before
    assert QThread.currentThread().isRunning()
