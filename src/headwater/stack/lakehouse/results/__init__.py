"""Query results as Athena stores and serves them: the CSV object, its metadata object, and pages of rows."""
