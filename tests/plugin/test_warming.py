"""What the docks import before it is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_a_training_imports_no_more_of_torch_and_the_collector_stays_on() -> None:
    statement = """
import gc, json, sys
from napari_stainxfer.plugin.warming import warm_up
assert "torch" not in sys.modules
warm_up()
before = set(sys.modules)
import torch
from napari_stainxfer.training import TrainingSettings
from napari_stainxfer.methods.fitting import fit_stream
weight = torch.nn.Parameter(torch.zeros(3))
weight.sum().backward()
torch.optim.Adam([weight]).step()
new = [name for name in set(sys.modules) - before if name.startswith("torch")]
print(json.dumps([new, gc.isenabled()]))
"""
    done = subprocess.run([sys.executable, "-c", statement], check=True, capture_output=True, text=True)
    assert json.loads(done.stdout.splitlines()[-1]) == [[], True]


def test_triton_looks_absent_where_mesa_has_drawn_and_only_there(tmp_path: Path) -> None:
    statement = """
import sys
from importlib.util import find_spec
from pathlib import Path
from napari_stainxfer.plugin.warming import keep_triton_out
keep_triton_out(Path(sys.argv[1]))
print("triton" in sys.modules, find_spec("triton") is None if "triton" in sys.modules else "as before")
"""
    told = []
    for library in ("libLLVM.so.19.1", "libGLX_nvidia.so.0"):
        maps = tmp_path / library
        maps.write_text(f"7f0000000000-7f0000001000 r-xp 00000000 08:01 1 /usr/lib/{library}\n")
        run = [sys.executable, "-c", statement, str(maps)]
        told.append(subprocess.run(run, check=True, capture_output=True, text=True).stdout.strip())
    assert told == ["True True", "False as before"]
