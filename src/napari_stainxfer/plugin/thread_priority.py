"""Computing threads that give way to the window, on machines whose few cores they would fill."""

from __future__ import annotations

import os
import sys
import threading

_NICE = 10


def yield_to_the_window() -> None:
    """Lower the priority of the thread that calls this, for good; only Linux can do it to one thread."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
