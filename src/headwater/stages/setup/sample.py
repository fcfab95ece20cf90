"""The sample rows of the sample business: five users and what they did from January to March 2025."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import psycopg


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


USERS: tuple[tuple[str, str, str, datetime], ...] = (
    ("alice@example.com", "Alice Johnson", "pro", _utc("2025-01-02T09:12:00")),
    ("bob@example.com", "Bob Smith", "free", _utc("2025-01-05T14:40:00")),
    ("carol@example.com", "Carol Diaz", "enterprise", _utc("2025-01-09T08:05:00")),
    ("david@example.com", "David Okafor", "pro", _utc("2025-01-20T17:31:00")),
    ("erin@example.com", "Erin Novak", "free", _utc("2025-02-03T11:22:00")),
)
"""email, name, plan, created_at. The email is the key."""

ORDERS: tuple[tuple[str, str, str, str, datetime], ...] = (
    ("alice@example.com", "49.00", "USD", "completed", _utc("2025-01-15T10:30:00")),
    ("carol@example.com", "499.00", "USD", "completed", _utc("2025-01-15T11:05:00")),
    ("bob@example.com", "9.99", "USD", "failed", _utc("2025-01-16T09:45:00")),
    ("david@example.com", "49.00", "EUR", "completed", _utc("2025-01-28T16:20:00")),
    ("alice@example.com", "49.00", "USD", "completed", _utc("2025-02-15T10:30:00")),
    ("carol@example.com", "499.00", "USD", "completed", _utc("2025-02-15T11:05:00")),
    ("erin@example.com", "9.99", "GBP", "pending", _utc("2025-02-20T13:15:00")),
    ("david@example.com", "49.00", "EUR", "refunded", _utc("2025-02-28T16:20:00")),
    ("alice@example.com", "129.50", "USD", "completed", _utc("2025-03-10T08:00:00")),
    ("carol@example.com", "499.00", "USD", "completed", _utc("2025-03-15T11:05:00")),
)
"""email, amount, currency, status, created_at. The user and the instant are the key: a changed status is kept."""

EVENTS: tuple[tuple[str, str, str, datetime], ...] = (
    ("alice@example.com", "signup", '{"source": "google"}', _utc("2025-01-02T09:12:00")),
    ("bob@example.com", "signup", '{"source": "referral"}', _utc("2025-01-05T14:40:00")),
    ("carol@example.com", "signup", '{"source": "sales"}', _utc("2025-01-09T08:05:00")),
    ("alice@example.com", "login", '{"device": "desktop"}', _utc("2025-01-15T10:25:00")),
    ("alice@example.com", "purchase", '{"plan": "pro", "amount": 49.00}', _utc("2025-01-15T10:30:00")),
    ("carol@example.com", "purchase", '{"plan": "enterprise", "amount": 499.00}', _utc("2025-01-15T11:05:00")),
    ("david@example.com", "signup", '{"source": "conference"}', _utc("2025-01-20T17:31:00")),
    ("erin@example.com", "signup", '{"source": "google"}', _utc("2025-02-03T11:22:00")),
    ("bob@example.com", "page_view", '{"page": "/pricing"}', _utc("2025-02-11T19:02:00")),
    ("erin@example.com", "login", '{"device": "mobile"}', _utc("2025-02-20T13:10:00")),
    ("david@example.com", "refund", '{"amount": 49.00}', _utc("2025-02-28T16:25:00")),
    ("alice@example.com", "page_view", '{"page": "/docs"}', _utc("2025-03-10T07:58:00")),
)
"""email, event type, properties as JSON, created_at. The user, the type and the instant are the key."""

# A row is missing if its key is: users by email, the others by what nobody does twice in the same instant.
_NEW_USERS = """
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[]) AS s (email, name, plan, created_at)
    WHERE NOT EXISTS (SELECT FROM public.users AS u WHERE u.email = s.email)
"""
_NEW_ORDERS = """
    FROM unnest(%s::text[], %s::numeric[], %s::text[], %s::text[], %s::timestamptz[])
        AS s (email, amount, currency, status, created_at)
    LEFT JOIN public.users AS u ON u.email = s.email
    WHERE NOT EXISTS (SELECT FROM public.orders AS o WHERE o.user_id = u.id AND o.created_at = s.created_at)
"""
_NEW_EVENTS = """
    FROM unnest(%s::text[], %s::text[], %s::jsonb[], %s::timestamptz[]) AS s (email, event_type, properties, created_at)
    LEFT JOIN public.users AS u ON u.email = s.email
    WHERE NOT EXISTS (
        SELECT FROM public.events AS e
        WHERE e.user_id = u.id AND e.event_type = s.event_type AND e.created_at = s.created_at
    )
"""
_NEW = {"users": (_NEW_USERS, USERS), "orders": (_NEW_ORDERS, ORDERS), "events": (_NEW_EVENTS, EVENTS)}
_INSERT = {
    "users": "INSERT INTO public.users (email, name, plan, created_at) SELECT s.email, s.name, s.plan, s.created_at",
    "orders": """
        INSERT INTO public.orders (user_id, amount, currency, status, created_at)
        SELECT u.id, s.amount, s.currency, s.status, s.created_at
    """,
    "events": """
        INSERT INTO public.events (user_id, event_type, properties, created_at)
        SELECT u.id, s.event_type, s.properties, s.created_at
    """,
}


def sizes() -> dict[str, int]:
    """How many sample rows each table has."""
    return {name: len(rows) for name, (_, rows) in _NEW.items()}


def missing(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """How many sample rows each table lacks."""
    found = {}
    for name, (source, rows) in _NEW.items():
        row = connection.execute("SELECT count(*)" + source, _columns(rows)).fetchone()
        found[name] = int(row[0]) if row else 0
    return found


def add_missing(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """Insert the sample rows that are missing; how many that were for each table."""
    return {
        name: connection.execute(_INSERT[name] + source + " ORDER BY s.created_at", _columns(rows)).rowcount
        for name, (source, rows) in _NEW.items()
    }


def _columns(rows: tuple[tuple[Any, ...], ...]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
