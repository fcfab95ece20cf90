"""Create or adopt the S3 bucket: the same as `headwater bucket`."""

from front_door import run

if __name__ == "__main__":
    run("bucket")
