"""Runs every measurement, or those named: ``python -m bench cli query``."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from bench.timing import note


def main(names: list[str]) -> None:
    """Import bench_<name> and run its main()."""
    known = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
    for name in names or known:
        if name not in known:
            sys.exit(f"no benchmark {name!r}; there are {', '.join(known)}")
        note(f"== {name}: {(import_module(f'bench.bench_{name}').__doc__ or '').splitlines()[0]}")
        import_module(f"bench.bench_{name}").main()


if __name__ == "__main__":
    main(sys.argv[1:])
