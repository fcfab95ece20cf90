"""Create the database, its tables and sample rows: the same as `headwater setup`."""

from front_door import run

if __name__ == "__main__":
    run("setup")
