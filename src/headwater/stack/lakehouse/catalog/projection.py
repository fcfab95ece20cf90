"""Partition projection: partitions that exist because a table's properties say so, not because they were registered."""
