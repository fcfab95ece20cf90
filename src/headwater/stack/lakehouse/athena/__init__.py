"""The Athena API: executions, work groups and metadata, as the AWS SDKs see them."""
