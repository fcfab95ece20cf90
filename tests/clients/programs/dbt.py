"""What a user of dbt-athena does: seeds, views, tables, incremental models, snapshots and tests, run twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

bucket, database = sys.argv[1:]
FILES = {
    "dbt_project.yml": """
name: shop
version: "1.0.0"
profile: local
model-paths: [models]
seed-paths: [seeds]
snapshot-paths: [snapshots]
""",
    "profiles.yml": f"""
local:
  target: dev
  outputs:
    dev:
      type: athena
      s3_staging_dir: s3://{bucket}/staging/
      s3_data_dir: s3://{bucket}/data/
      region_name: us-east-1
      database: awsdatacatalog
      schema: {database}
      poll_interval: 0.05
      threads: 1
""",
    "seeds/orders.csv": "id,day,amount\n1,2025-01-01,10.5\n2,2025-01-01,20.0\n3,2025-01-02,5.25\n",
    "models/daily.sql": "{{ config(materialized='view') }} "
    "select day, sum(amount) as amount, count(*) as orders from {{ ref('orders') }} group by day",
    "models/by_day.sql": "{{ config(materialized='table', partitioned_by=['day'], format='parquet') }} "
    "select id, amount, day from {{ ref('orders') }}",
    "models/latest.sql": "{{ config(materialized='incremental', table_type='iceberg', "
    "incremental_strategy='merge', unique_key='id', partitioned_by=['bucket(id, 4)']) }} "
    "select id, amount, cast(current_timestamp as timestamp(6)) as seen from {{ ref('orders') }}",
    "models/schema.yml": """
models:
  - name: by_day
    columns:
      - name: id
        tests: [unique, not_null]
""",
    "snapshots/kept.sql": "{% snapshot kept %}{{ config(target_schema=target.schema, unique_key='id', "
    "strategy='check', check_cols=['amount'], table_type='iceberg') }} "
    "select id, amount from {{ ref('orders') }}{% endsnapshot %}",
}
for name, content in FILES.items():
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text(content)
for command in (["seed"], ["run"], ["snapshot"], ["test"], ["seed"], ["run"], ["snapshot"], ["docs", "generate"]):
    done = subprocess.run(["dbt", *command, "--profiles-dir", "."], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
