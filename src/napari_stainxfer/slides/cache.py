"""Decoded blocks kept for the next read, within a fixed number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock

from napari_stainxfer.slides.source import RGB


class BlockCache:
    """The blocks used last, up to ``max_bytes`` in all; safe to share between threads.

    Two threads that miss the same block both make it: decoding twice is cheaper than making every
    reader wait for one lock.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._blocks: OrderedDict[Hashable, RGB] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], RGB]) -> RGB:
        """Return the block called ``key``, made now unless it is still here. Do not write into it."""
        with self._lock:
            block = self._blocks.get(key)
            if block is not None:
                self._blocks.move_to_end(key)
                return block
        block = make()
        with self._lock:
            if key not in self._blocks:
                self._blocks[key] = block
                self._bytes += block.nbytes
            while self._bytes > self._max_bytes and len(self._blocks) > 1:
                self._bytes -= self._blocks.popitem(last=False)[1].nbytes
        return block

    def clear(self) -> None:
        """Forget every block."""
        with self._lock:
            self._blocks.clear()
            self._bytes = 0
