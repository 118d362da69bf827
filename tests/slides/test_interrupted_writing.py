"""Whatever stops a writer, no half file appears and no older file is lost."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_stainxfer.errors import SlideError
from napari_stainxfer.files import whole_file
from napari_stainxfer.slides import PyramidWriter, open_slide, write_pyramid
from napari_stainxfer.slides.writing import writing_error

TILE = np.full((64, 64, 3), 200, np.uint8)
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals and limits")


class Stop(BaseException):
    """Like KeyboardInterrupt, but it does not stop the test run when it gets lost."""


def failing(error: BaseException) -> Iterator[np.ndarray]:
    yield TILE
    yield TILE
    raise error


@pytest.mark.parametrize(
    "error", [ValueError("x"), Stop(), KeyboardInterrupt(), OSError(errno.EIO, "source")]
)
@pytest.mark.parametrize("name", ["slide.tif", "slide.ome.tif"])
def test_a_failing_source_leaves_nothing(tmp_path: Path, name: str, error: BaseException) -> None:
    """The error comes through as it is: a source that cannot be read is not a full disk."""
    with pytest.raises(type(error)) as caught:
        write_pyramid(tmp_path / name, failing(error), shape=(640, 640), mpp=0.5, tile_px=64)
    assert caught.value is error
    assert list(tmp_path.iterdir()) == []


def test_a_closed_generator_leaves_nothing_new(tmp_path: Path) -> None:
    path = tmp_path / "slide.tif"
    path.write_bytes(b"older")

    def export() -> Iterator[int]:
        with PyramidWriter(path, shape=(640, 640), mpp=0.5, tile_px=64) as writer:
            for number in range(100):
                writer.add(TILE)
                yield number

    steps = export()
    assert [next(steps) for _ in range(30)][-1] == 29
    assert len(list(tmp_path.iterdir())) == 2
    steps.close()
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"older"


WRITE_SLOWLY = """
import signal, sys, time, numpy as np
from napari_stainxfer.slides import PyramidWriter
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job is born deaf to it
with PyramidWriter(sys.argv[1], shape=(64000, 64000), mpp=0.5, tile_px=64) as writer:
    for number in range(1000 * 1000):
        writer.add(np.full((64, 64, 3), number % 256, np.uint8))
        if number == 100:
            print("writing", flush=True)
        if number > 100:
            time.sleep(0.001)
"""


def start_slow_writer(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE_SLOWLY, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    return process


@posix_only
def test_a_killed_writer_leaves_no_final_file_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    path = tmp_path / "slide [1].tif"
    process = start_slow_writer(path)
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    assert not path.exists()
    assert len(list(tmp_path.iterdir())) == 1
    write_pyramid(path, [TILE], shape=(64, 64), mpp=0.5, tile_px=64)
    assert list(tmp_path.iterdir()) == [path]
    assert open_slide(path).shape == (64, 64)


@posix_only
def test_a_living_writer_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "slide.tif"
    process = start_slow_writer(path)
    try:
        write_pyramid(path, [TILE], shape=(64, 64), mpp=0.5, tile_px=64)
        assert process.poll() is None
        assert len(list(tmp_path.iterdir())) == 2
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert list(tmp_path.iterdir()) == [path]
    assert open_slide(path).shape == (64, 64)


def test_scratch_of_other_files_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / ".other.tif.abc.part"
    other.mkdir()
    fresh = tmp_path / ".slide.tif.new.part"
    fresh.mkdir()
    old = tmp_path / ".slide.tif.old.part"
    old.mkdir()
    os.utime(old, (1e9, 1e9))
    with whole_file(tmp_path / "slide.tif") as scratch:
        (scratch / "slide.tif").write_bytes(b"new")
    assert {entry.name for entry in tmp_path.iterdir()} == {fresh.name, other.name, "slide.tif"}


LIMITED = """
import resource, signal, sys, numpy as np
from napari_stainxfer.errors import SlideError
from napari_stainxfer.slides import write_pyramid
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
try:
    write_pyramid(sys.argv[1], (noise for _ in range(100)), shape=(2560, 2560), mpp=0.5, tile_px=256)
except SlideError as error:
    print(error)
"""


@posix_only
def test_no_room_on_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "slide.tif"
    result = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout.startswith(f"there is no room on the disk for {path}")
    assert list(tmp_path.iterdir()) == []


def test_full_disk_in_words() -> None:
    error = writing_error(Path("slide.tif"), OSError(errno.ENOSPC, "No space left on device"))
    assert "no room on the disk for slide.tif" in str(error)


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(SlideError, match=r"there is no folder .*nowhere to write slide\.tif into"):
        write_pyramid(tmp_path / "nowhere" / "slide.tif", [TILE], shape=(64, 64), mpp=0.5)


@pytest.mark.skipif(
    not Path("/proc/version").exists(), reason="needs a folder that even root cannot write to"
)
def test_unwritable_folder() -> None:
    with pytest.raises(SlideError, match=r"/proc/slide\.tif cannot be written .*choose a folder"):
        write_pyramid("/proc/slide.tif", [TILE], shape=(64, 64), mpp=0.5)
