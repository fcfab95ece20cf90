"""AWS Glue and Athena for a laptop: a durable catalog, and Athena SQL that DuckDB runs on the S3 server's files."""
