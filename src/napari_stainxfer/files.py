"""Files that appear under their name whole or not at all."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from napari_stainxfer.errors import OutputError

_SUFFIX = ".part"
_LOCK = "lock"
_GRACE_S = 60.0
"""A scratch folder without its lock file may be just being made; after a minute it is not."""


def make_folder(folder: Path) -> None:
    """Make a folder to write to, and check that it can be written to.

    Raises
    ------
    OutputError
        If there is none, or nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"Nothing can be written to {folder} ({error.strerror}); choose another place."
        ) from None


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a scratch folder beside ``path``; its file ``path.name`` becomes ``path`` if all goes well.

    Whatever ends the block early (an error, an interrupt, a closed generator) removes the folder and
    leaves an older file of that name untouched. A killed process cannot clean up, so each call also
    removes the scratch folders that dead processes left for the same ``path``: a folder in use holds
    a lock, which the system gives back when its process ends.

    Raises
    ------
    OSError
        If the folder cannot be written to.
    """
    for stale in path.parent.glob(_prefix(path, escape=True) + "*" + _SUFFIX):
        if _is_abandoned(stale):
            shutil.rmtree(stale, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix=_prefix(path), suffix=_SUFFIX, dir=path.parent))
    try:
        with (scratch / _LOCK).open("wb") as lock:
            _try_lock(lock)
            yield scratch
            _flush_to_disk(scratch / path.name)
            (scratch / path.name).replace(path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary file name to write to in one go; it becomes ``path`` if all goes well.

    Raises
    ------
    OSError
        If the folder cannot be written to.
    """
    with whole_file(path) as scratch:
        yield scratch / path.name


def _prefix(path: Path, *, escape: bool = False) -> str:
    name = path.name.replace("[", "[[]") if escape else path.name
    return f".{name}."


def _is_abandoned(scratch: Path) -> bool:
    lock = scratch / _LOCK
    try:
        if not lock.exists():
            return time.time() - scratch.stat().st_mtime > _GRACE_S
        with lock.open("r+b") as file:
            return _try_lock(file)
    except OSError:
        return False  # Somebody holds it, or it went away: either way not ours to remove.


if sys.platform == "win32":

    def _try_lock(file: IO[bytes]) -> bool:
        import msvcrt

        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:

    def _try_lock(file: IO[bytes]) -> bool:
        import fcntl

        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


def _flush_to_disk(path: Path) -> None:
    """Make sure that the bytes are on the disk before the name is, should the power fail."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())
