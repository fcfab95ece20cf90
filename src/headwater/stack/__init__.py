"""The embedded services: PostgreSQL, S3, STS, Glue and Athena on 127.0.0.1, for a laptop without an AWS account."""
