"""Ctrl-C in a process of its own, whatever it is doing."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


@pytest.mark.parametrize(("verb", "seconds"), [("train", 0.6), ("train", 4.0), ("pair", 2.0), ("demo", 8.0)])
def test_ctrl_c_at_any_moment_is_one_sentence(
    slides: tuple[Path, Path], verb: str, seconds: float, tmp_path: Path
) -> None:
    arguments = [*map(str, slides), "--reference-mpp", "0.5", "--source-mpp", "0.5"] if verb != "demo" else []
    # a shell's background job, such as a test run, may be born deaf to it
    begin = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); print(flush=True); "
    with subprocess.Popen(
        [sys.executable, "-c", begin + "from napari_stainxfer.cli import main; main()", verb, *arguments,
         "-o", str(tmp_path / "out.safetensors")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()  # from here on it hears
        time.sleep(seconds)
        if process.poll() is not None:
            pytest.skip(f"{verb} was done before")
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert "Traceback" not in told
    assert "topped" in told
