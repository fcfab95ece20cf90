"""The AWS Glue Data Catalog API over the local catalog."""
