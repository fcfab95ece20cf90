"""The edges: PostgreSQL, S3, Athena, Glue and client programs, with their errors translated into Headwater's."""
