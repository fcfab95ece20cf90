"""The sample business: the lake tables of a small SaaS company, as generate, catalog and query agree on them."""

from __future__ import annotations

from headwater.model import LakeColumn, LakeTable

DAY_KEYS = (LakeColumn("year", "int"), LakeColumn("month", "int"), LakeColumn("day", "int"))

ORDERS = LakeTable(
    "orders",
    (
        LakeColumn("order_id", "string"),
        LakeColumn("user_id", "int"),
        LakeColumn("amount", "decimal(10,2)"),
        LakeColumn("currency", "string"),
        LakeColumn("status", "string"),
        LakeColumn("created_at", "timestamp"),
    ),
    DAY_KEYS,
)

EVENTS = LakeTable(
    "events",
    (
        LakeColumn("event_id", "string"),
        LakeColumn("user_id", "int"),
        LakeColumn("user_email", "string"),
        LakeColumn("event_type", "string"),
        LakeColumn("properties", "string"),
        LakeColumn("created_at", "timestamp"),
    ),
    DAY_KEYS,
)

LAKE_TABLES = (ORDERS, EVENTS)

SAMPLE_EMAILS = ("alice@example.com", "bob@example.com", "carol@example.com", "david@example.com", "erin@example.com")
"""The emails of the sample's users 1 to 5, in the source and in the lake."""
