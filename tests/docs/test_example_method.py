"""The method that the page on adding one adds keeps the contract that all methods keep."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_example_method_keeps_the_contract(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "adding-a-method.md").read_text(encoding="utf-8")
    codes = re.findall(r"^```python\n((?s:.*?))^```$", page, flags=re.MULTILINE)
    (module,) = [code for code in codes if code.startswith('"""')]
    (registration,) = [code for code in codes if 'METHODS["' in code]
    (name,) = re.findall(r"^import (\w+)$", registration, flags=re.MULTILINE)
    assert f"/{name}.py`" in page.partition(module)[0]
    (tmp_path / f"{name}.py").write_text(module, encoding="utf-8")
    (tmp_path / "registration.py").write_text(registration, encoding="utf-8")
    (line,) = re.findall(r"^```sh\n(.*)\n```$", page, flags=re.MULTILINE)
    program, *arguments = shlex.split(line)
    assert program == "pytest"
    start = "import sys, pytest; sys.path.insert(0, sys.argv.pop(1)); sys.exit(pytest.main())"
    options = ["-p", "registration", "-p", "no:cacheprovider", "-q"]
    done = subprocess.run(
        [sys.executable, "-c", start, str(tmp_path), *options, *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed
    assert int(passed[1]) > 25, done.stdout
