"""What the docks import before it is needed."""

from __future__ import annotations

import json
import subprocess
import sys


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
