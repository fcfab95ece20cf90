"""Run the example queries, or the given SQL: the same as `headwater query`."""

from front_door import run

if __name__ == "__main__":
    run("query")
