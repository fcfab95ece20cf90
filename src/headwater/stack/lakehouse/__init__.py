"""AWS Glue and Amazon Athena for a laptop: a durable catalog, and Athena's SQL run by DuckDB over the S3 server's files."""
