"""Back up PostgreSQL to S3: the same as `headwater backup create`."""

from front_door import run

if __name__ == "__main__":
    run("backup", "create")
