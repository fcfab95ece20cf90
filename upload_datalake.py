"""Sync output/ to the lake and verify it: the same as `headwater upload`."""

from front_door import run

if __name__ == "__main__":
    run("upload")
