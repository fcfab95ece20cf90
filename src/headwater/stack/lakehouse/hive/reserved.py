"""Words that are no names in DDL unless in backticks: a statement that runs here has to run on AWS, too."""

from __future__ import annotations

# https://docs.aws.amazon.com/athena/latest/ug/reserved-words.html, without those that AWS's own examples use as names
# (time, start) and that begin Iceberg's transforms (truncate).
_WORDS = """
all alter and array as authorization between bigint binary boolean both by case cast char column conf create cross
cube current current_date current_timestamp cursor database date decimal delete describe distinct double drop else
end exchange exists extended external false fetch float following for from full function grant group grouping
having if import in inner insert int intersect interval into is join lateral left less like local macro map more
none not null of on or order out outer over partialscan partition percent preceding preserve procedure range reads
reduce revoke right rollup row rows select set smallint table tablesample then timestamp to transform trigger true
unbounded union uniquejoin update user using values varchar when where window with
"""
RESERVED = frozenset(_WORDS.split())
