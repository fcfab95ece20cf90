"""Show what would be removed, ask, remove it: the same as `headwater clean`."""

from front_door import run

if __name__ == "__main__":
    run("clean")
