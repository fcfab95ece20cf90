"""Rows in volume for the sample business: vectorised, and each row a function of the seed and its index alone.

That is what makes ``--rows`` converge: row 70,000 is the same whether it was asked for with ``--rows 100000`` or as
part of the difference to ``--rows 1000000``. Nothing here touches a database; the blocks are CSV for COPY.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

BLOCK_ROWS = 65_536
"""Rows are drawn in blocks of this size; memory is a few of them, however many rows there are."""

ORDERS_PER_USER = 50
EVENTS_PER_ORDER = 2

_USERS_FROM, _USERS_DAYS = np.datetime64("2024-01-01T00:00:00", "us"), 366
_FROM, _DAYS = np.datetime64("2025-01-01T00:00:00", "us"), 90

_PLANS = pa.array(["free", "pro", "enterprise"])
_STATUSES = pa.array(["completed", "pending", "failed", "refunded"])
_CURRENCIES = pa.array(["USD", "EUR", "GBP"])
_EVENT_TYPES = pa.array(["page_view", "login", "purchase", "signup"])
_EVENT_KEYS = pa.array(["page", "device", "item", "source"])
_EVENT_VALUES = pa.array(
    [
        *("/", "/pricing", "/docs", "/blog"),
        *("desktop", "mobile", "tablet", "api"),
        *("pro", "enterprise", "seat", "support"),
        *("google", "referral", "sales", "conference"),
    ]
)

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Span:
    """Rows ``first`` (included) to ``last`` (excluded), counted from 0."""

    first: int
    last: int

    @property
    def rows(self) -> int:
        """How many rows these are; never negative."""
        return max(0, self.last - self.first)


@dataclass(frozen=True)
class Block:
    """Some rows as CSV that COPY understands."""

    rows: int
    text: memoryview


def users_for(orders: int) -> int:
    """How many generated users ``orders`` orders are spread over: one for fifty, rounded up."""
    return -(-orders // ORDERS_PER_USER)


def emails(first: int, last: int) -> list[str]:
    """The emails, and so the keys, of generated users ``first`` to ``last`` (excluded), counted from 0."""
    return [f"user{number + 1:08d}@example.net" for number in range(first, last)]


def user_blocks(span: Span, seed: int) -> Iterator[Block]:
    """Blocks of email, name, plan, created_at."""
    for random, index, keep in _draws(span, seed, table=0):
        number = pc.utf8_lpad(pc.cast(pa.array(index[keep] + 1), pa.string()), 8, "0")
        created = _USERS_FROM + _offsets(random, _USERS_DAYS)
        yield _block(
            pc.binary_join_element_wise("user", number, "@example.net", ""),
            pc.binary_join_element_wise("User ", number, ""),
            _choice(random, _PLANS, (0.7, 0.25, 0.05), keep),
            _instants(created[keep]),
        )


def order_blocks(span: Span, seed: int, user_ids: Ids) -> Iterator[Block]:
    """Blocks of user_id, amount, currency, status, created_at; ``user_ids[i]`` is the id of generated user ``i``."""
    for random, index, keep in _draws(span, seed, table=1):
        created = _FROM + np.sort(_offsets(random, _DAYS))
        cents = np.clip(np.rint(np.exp(random.normal(4.0, 1.0, BLOCK_ROWS)) * 100), 99, 9_999_999).astype(np.int64)
        yield _block(
            pa.array(user_ids[_users(random, index, ORDERS_PER_USER)[keep]]),
            _amounts(cents[keep]),
            _choice(random, _CURRENCIES, (0.7, 0.2, 0.1), keep),
            _choice(random, _STATUSES, (0.8, 0.1, 0.06, 0.04), keep),
            _instants(created[keep]),
        )


def event_blocks(span: Span, seed: int, user_ids: Ids) -> Iterator[Block]:
    """Blocks of user_id, event_type, properties, created_at; ``user_ids[i]`` is the id of generated user ``i``."""
    for random, index, keep in _draws(span, seed, table=2):
        created = _FROM + np.sort(_offsets(random, _DAYS))
        kind = random.choice(4, BLOCK_ROWS, p=(0.6, 0.25, 0.1, 0.05))[keep]
        value = (random.integers(0, 4, BLOCK_ROWS)[keep] + 4 * kind).astype(np.int64)
        session = pc.cast(pa.array(random.integers(1, 1_000_000, BLOCK_ROWS)[keep]), pa.string())
        yield _block(
            pa.array(user_ids[_users(random, index, ORDERS_PER_USER * EVENTS_PER_ORDER)[keep]]),
            _EVENT_TYPES.take(pa.array(kind)),
            pc.binary_join_element_wise(
                '{"',
                _EVENT_KEYS.take(pa.array(kind)),
                '": "',
                _EVENT_VALUES.take(pa.array(value)),
                '", "session": ',
                session,
                "}",
                "",
            ),
            _instants(created[keep]),
        )


def _draws(span: Span, seed: int, table: int) -> Iterator[tuple[np.random.Generator, Ids, slice]]:
    """For each block that ``span`` touches: its generator, its rows' indexes, and the part of it that is in ``span``.

    Every column is drawn for the whole block and cut afterwards, so that a row never depends on where a span begins.
    """
    if not span.rows:
        return
    for block in range(span.first // BLOCK_ROWS, -(-span.last // BLOCK_ROWS)):
        start = block * BLOCK_ROWS
        keep = slice(max(span.first - start, 0), min(span.last - start, BLOCK_ROWS))
        yield np.random.default_rng([seed, table, block]), np.arange(start, start + BLOCK_ROWS), keep


def _users(random: np.random.Generator, index: Ids, rows_per_user: int) -> Ids:
    """A user for each row, among the users that exist once there are that many rows; early users get more."""
    drawn: Ids = (random.random(BLOCK_ROWS) ** 1.5 * (index // rows_per_user + 1)).astype(np.int64)
    return drawn


def _choice(random: np.random.Generator, values: Any, weights: tuple[float, ...], keep: slice) -> Any:
    return values.take(pa.array(random.choice(len(weights), BLOCK_ROWS, p=weights)[keep]))


def _offsets(random: np.random.Generator, days: int) -> npt.NDArray[np.timedelta64]:
    return random.integers(0, days * 86_400_000_000, BLOCK_ROWS).astype("timedelta64[us]")


def _instants(values: npt.NDArray[np.datetime64]) -> Any:
    return pa.array(values, pa.timestamp("us", tz="UTC"))


def _amounts(cents: Ids) -> Any:
    """Cents as decimal(10,2) without a detour through text or floats: a decimal128 is a little-endian integer."""
    words = np.zeros((cents.size, 2), np.int64)
    words[:, 0] = cents
    return pa.Array.from_buffers(pa.decimal128(10, 2), cents.size, [None, pa.py_buffer(words)])


def _block(*columns: Any) -> Block:
    table = pa.table(list(columns), [f"c{i}" for i in range(len(columns))])
    sink = pa.BufferOutputStream()
    csv.write_csv(table, sink, csv.WriteOptions(include_header=False))
    return Block(table.num_rows, memoryview(sink.getvalue()))
