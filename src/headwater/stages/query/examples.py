"""The four example queries: what the sample business wants to know, each reading only the partitions that it needs."""

from __future__ import annotations

# The days are among those that `headwater generate` writes without options.
EXAMPLES: tuple[tuple[str, str], ...] = (
    (
        "Orders of 15 January 2025 by amount",
        """\
SELECT order_id, user_id, amount, currency, status, created_at
FROM orders
WHERE year = 2025 AND month = 1 AND day = 15
ORDER BY amount DESC, order_id
LIMIT 10""",
    ),
    (
        "Revenue by status in January 2025",
        """\
SELECT status, count(*) AS orders, sum(amount) AS revenue
FROM orders
WHERE year = 2025 AND month = 1
GROUP BY status
ORDER BY revenue DESC""",
    ),
    (
        "Event types on 15 January 2025",
        """\
SELECT event_type, count(*) AS events, count(DISTINCT user_id) AS users
FROM events
WHERE year = 2025 AND month = 1 AND day = 15
GROUP BY event_type
ORDER BY events DESC, event_type""",
    ),
    (
        "Top spenders in February 2025",
        """\
SELECT user_id, count(*) AS orders, sum(amount) AS spent
FROM orders
WHERE year = 2025 AND month = 2 AND status = 'completed'
GROUP BY user_id
ORDER BY spent DESC, user_id
LIMIT 10""",
    ),
)
"""Title and SQL of each."""
