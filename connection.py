"""Check every prerequisite: the same as `headwater check`."""

from front_door import run

if __name__ == "__main__":
    run("check")
