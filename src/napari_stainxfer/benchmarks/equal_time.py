"""As many epochs as fit into the time that another training took."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from napari_stainxfer.training import EpochEvent, Event

_TIMED_EPOCHS = 3


class _TimedError(Exception):
    """Ends the training that is only timed."""


def epochs_in(seconds: float, train: Callable[[Callable[[Event], None]], object]) -> int:
    """How many epochs a training gets done in so many seconds, what comes before its first one included.

    Parameters
    ----------
    seconds
        That the whole may take.
    train
        Runs the training with a listener. It is stopped after three epochs.

    Returns
    -------
    int
        At least 1.
    """
    started = time.perf_counter()
    ends: list[float] = []

    def listen(event: Event) -> None:
        if isinstance(event, EpochEvent):
            ends.append(time.perf_counter() - started)
            if len(ends) == _TIMED_EPOCHS:
                raise _TimedError

    with suppress(_TimedError):
        train(listen)
    an_epoch = (ends[-1] - ends[0]) / (len(ends) - 1)
    before = ends[0] - an_epoch
    return max(1, round((seconds - before) / an_epoch))
