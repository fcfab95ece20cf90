"""Write synthetic orders and events as Parquet: the same as `headwater generate`."""

from front_door import run

if __name__ == "__main__":
    run("generate")
