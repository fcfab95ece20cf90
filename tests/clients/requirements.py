"""The real clients that the local Athena and Glue are tried with: an environment for each, from these PyPI ranges."""

from __future__ import annotations

ENVIRONMENTS: dict[str, tuple[str, ...]] = {
    "boto3": ("boto3>=1.36,<2",),
    "awscli": ("awscli>=1.37,<2",),
    "awswrangler": ("awswrangler>=3.11,<4",),
    "pyathena": ("PyAthena[SQLAlchemy,Pandas,Arrow,Polars]>=4,<5", "s3fs"),
    # Later versions of dbt-core fetch a part of themselves at installation from elsewhere than PyPI.
    "dbt": ("dbt-core>=1.9,<1.11", "dbt-athena>=1.9,<2"),
    "pyiceberg": ("pyiceberg[glue,pyarrow]>=0.9,<0.13", "pyiceberg-core"),
}
