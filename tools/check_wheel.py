"""Build the wheel, and compare what is in it with what is in the package: pages, weights, stubs.

A wheel leaves out what .gitignore names, without a word.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> int:
    """Return 1 if they differ, and say in what."""
    with tempfile.TemporaryDirectory() as folder:
        build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir"]
        subprocess.run([*build, folder, str(ROOT)], check=True)
        [wheel] = Path(folder).iterdir()
        packed = {n for n in zipfile.ZipFile(wheel).namelist() if n.startswith("icehouse/")}
    here = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "icehouse").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    for name in sorted(here - packed):
        print(f"the wheel lacks {name}", file=sys.stderr)
    for name in sorted(packed - here):
        print(f"the wheel has {name}, which is not in the package", file=sys.stderr)
    return int(here != packed)


if __name__ == "__main__":
    sys.exit(main())
