"""Ctrl-C: what it stops, when, and what the user is told."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from napari_stainxfer.cli import console
from napari_stainxfer.errors import StainTransferError

_P = ParamSpec("_P")
_T = TypeVar("_T")

EXIT_CODE = 130
"""What shells expect of a program that Ctrl-C stopped."""


class StoppedError(StainTransferError):
    """The user pressed Ctrl-C; the message says what is left of the work."""


def tells_when_stopped(verb: Callable[_P, _T]) -> Callable[_P, _T]:
    """Turn Ctrl-C anywhere in a verb into an error with a sentence; typer would end without a word."""

    @wraps(verb)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return verb(*args, **kwargs)
        except KeyboardInterrupt:
            raise StoppedError("stopped.") from None

    return run


@contextmanager
def stoppable() -> Iterator[Callable[[], None]]:
    """Let Ctrl-C stop a training between two steps, where nothing is lost; a second one stops at once.

    Before the first step there is nothing to lose, and the first one stops at once.

    Yields
    ------
    callable
        To be called between two steps; raises ``KeyboardInterrupt`` if Ctrl-C was pressed since.
    """
    started = pressed = False

    def press(_number: int, _frame: object) -> None:
        nonlocal pressed
        if pressed or not started:
            raise KeyboardInterrupt
        pressed = True
        console.say("Stopping after this step; press Ctrl-C again to stop at once.")

    def check() -> None:
        nonlocal started
        started = True
        if pressed:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, press)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)
