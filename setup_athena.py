"""Create the Athena database, tables and partitions: the same as `headwater catalog`."""

from front_door import run

if __name__ == "__main__":
    run("catalog")
