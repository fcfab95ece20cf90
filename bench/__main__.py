"""Runs every measurement, or those named, with a size if one takes it: ``python -m bench cli query:80000``."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from bench.timing import note


def main(names: list[str]) -> None:
    """Import bench_<name> and run its main()."""
    known = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
    for word in names or known:
        name, _, size = word.partition(":")
        if name not in known:
            sys.exit(f"no benchmark {name!r}; there are {', '.join(known)}")
        note(f"== {name}: {(import_module(f'bench.bench_{name}').__doc__ or '').splitlines()[0]}")
        import_module(f"bench.bench_{name}").main(*([int(size)] if size else []))


if __name__ == "__main__":
    main(sys.argv[1:])
