"""The synthetic rows, vectorised: each block of a table's day is a function of seed, table, day and position alone.

Everything is derived from a bit generator's raw output by integer arithmetic: NumPy promises that stream for good, but
neither those of its distributions nor the last bit of its floating-point functions.
https://numpy.org/doc/stable/reference/random/compatibility.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timezone
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.domain import EVENTS, ORDERS, SAMPLE_EMAILS

BLOCK_ROWS = 262_144
"""Rows that are in memory at a time; also a Parquet row group."""
USERS = 5_000
DAY_MICROSECONDS = 86_400_000_000

Words = npt.NDArray[np.uint64]

_TEXT = pa.dictionary(pa.int32(), pa.string())  # written to Parquet as a plain string column with a dictionary
SCHEMAS = {
    ORDERS.name: pa.schema(
        [
            pa.field("order_id", pa.string(), nullable=False),
            pa.field("user_id", pa.int32(), nullable=False),
            pa.field("amount", pa.decimal128(10, 2), nullable=False),
            pa.field("currency", _TEXT, nullable=False),
            pa.field("status", _TEXT, nullable=False),
            # Athena's timestamp has no zone: UTC as wall-clock time, isAdjustedToUTC=false, reads the same everywhere.
            pa.field("created_at", pa.timestamp("us"), nullable=False),
        ]
    ),
    EVENTS.name: pa.schema(
        [
            pa.field("event_id", pa.string(), nullable=False),
            pa.field("user_id", pa.int32(), nullable=False),
            pa.field("user_email", _TEXT, nullable=False),
            pa.field("event_type", _TEXT, nullable=False),
            pa.field("properties", _TEXT, nullable=False),
            pa.field("created_at", pa.timestamp("us"), nullable=False),
        ]
    ),
}

# Out of 256 each, so that a byte of randomness picks one.
_STATUSES = {"completed": 208, "pending": 20, "refunded": 13, "failed": 15}
_CURRENCIES = {"USD": 180, "EUR": 51, "GBP": 25}
_PRICES = {999: 120, 4900: 100, 49900: 36}
_EVENT_TYPES = {"page_view": 170, "login": 56, "purchase": 16, "signup": 10, "refund": 4}


@dataclass(frozen=True)
class Block:
    """Rows ``first`` (included) to ``last`` (excluded) of a table's day, of ``total`` that the day has."""

    table: str
    day: date
    first: int
    last: int
    total: int
    seed: int

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return self.last - self.first


def blocks(table: str, day: date, total: int, seed: int) -> Iterator[pa.Table]:
    """A table's day, a block at a time, ordered by ``created_at``."""
    make = _orders if table == ORDERS.name else _events
    for first in range(0, total, BLOCK_ROWS):
        yield make(Block(table, day, first, min(first + BLOCK_ROWS, total), total, seed))


def _orders(block: Block) -> pa.Table:
    bits, times = _draw(block)
    price = _pick(_PRICES, bits >> np.uint64(32))
    seats = _byte(bits >> np.uint64(40)) ** 2 // 8192 + 1  # most orders are for one seat, few for eight
    usage = _byte(bits >> np.uint64(48)) * (_byte(bits >> np.uint64(56)) // 64)
    columns = [
        _ids(b"ORD", block),
        pa.array(_user_ids(bits)),
        _decimal((price * seats + usage).astype(np.int64)),
        _choice(_CURRENCIES, bits >> np.uint64(24)),
        _choice(_STATUSES, bits >> np.uint64(16)),
        _timestamps(block, times),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMAS[ORDERS.name])


def _events(block: Block) -> pa.Table:
    bits, times = _draw(block)
    users = _user_ids(bits)
    kinds = _byte(bits >> np.uint64(16))
    texts, start, count = _properties()
    kind = _slots(_EVENT_TYPES)[kinds]
    nth = (((bits >> np.uint64(24)) & np.uint64(0xFFFF)) * count[kind]) >> np.uint64(16)
    columns = [
        _ids(b"EVT", block),
        pa.array(users),
        pa.DictionaryArray.from_arrays(pa.array(users - 1), _emails()),
        _choice(_EVENT_TYPES, bits >> np.uint64(16)),
        pa.DictionaryArray.from_arrays(pa.array((start[kind] + nth).astype(np.int32)), texts),
        _timestamps(block, times),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMAS[EVENTS.name])


def _draw(block: Block) -> tuple[Words, Words]:
    """Two random words a row: one for what happened, one for when."""
    table = list(SCHEMAS).index(block.table)
    source = np.random.SFC64(np.random.SeedSequence([block.seed, table, block.day.toordinal(), block.first]))
    words: Words = source.random_raw(2 * block.rows)
    return words[: block.rows], words[block.rows :]


def _byte(words: Words) -> Words:
    return words & np.uint64(0xFF)


def _user_ids(bits: Words) -> npt.NDArray[np.int32]:
    """Ids from 1 on; the square makes a few of them, the sample's five among them, much busier than the rest."""
    draw = bits & np.uint64(0xFFFF)
    ids: npt.NDArray[np.int32] = ((draw * draw * np.uint64(USERS)) >> np.uint64(32)).astype(np.int32) + np.int32(1)
    return ids


def _timestamps(block: Block, times: Words) -> pa.Array:
    """Sorted instants in the block's share of the day, so that the blocks of a day follow one another."""
    begin = DAY_MICROSECONDS * block.first // block.total
    end = DAY_MICROSECONDS * block.last // block.total
    midnight = datetime(block.day.year, block.day.month, block.day.day, tzinfo=timezone.utc)
    since_epoch = int(midnight.timestamp()) * 1_000_000 + begin
    moments = np.sort(times % np.uint64(end - begin)).astype(np.int64) + since_epoch
    return pa.array(moments).view(pa.timestamp("us"))


def _ids(prefix: bytes, block: Block) -> pa.Array:
    """Ids like ``ORD-20250115-00000001``: fixed width, so that the column is one array of bytes."""
    head = prefix + f"-{block.day:%Y%m%d}-".encode()
    rows = np.empty(block.rows, dtype=[("head", f"S{len(head)}"), ("high", np.uint32), ("low", np.uint32)])
    numbers = np.arange(block.first + 1, block.last + 1)
    rows["head"] = head
    rows["high"], rows["low"] = _four_digits()[numbers // 10_000], _four_digits()[numbers % 10_000]
    offsets = np.arange(block.rows + 1, dtype=np.int32) * rows.dtype.itemsize
    return pa.Array.from_buffers(pa.string(), block.rows, [None, pa.py_buffer(offsets), pa.py_buffer(rows)])


@cache
def _four_digits() -> npt.NDArray[np.uint32]:
    """``0000`` to ``9999`` as the four bytes of a 32-bit word."""
    return np.array([f"{n:04d}".encode() for n in range(10_000)]).view(np.uint32)


def _decimal(cents: npt.NDArray[np.int64]) -> pa.Array:
    """decimal(10,2) from cents: 128-bit little-endian integers whose upper half is zero, as no amount is negative."""
    words = np.zeros((len(cents), 2), dtype=np.int64)
    words[:, 0] = cents
    return pa.Array.from_buffers(pa.decimal128(10, 2), len(cents), [None, pa.py_buffer(words)])


def _pick(weights: Mapping[int, int], words: Words) -> Words:
    values = np.array(list(weights), dtype=np.uint64)
    picked: Words = values[_slots(weights)[_byte(words)]]
    return picked


def _choice(weights: Mapping[str, int], words: Words) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(_slots(weights)[_byte(words)]), pa.array(list(weights)))


def _slots(weights: Mapping[Any, int]) -> npt.NDArray[np.int32]:
    """Which choice each of the 256 values of a byte stands for."""
    return np.repeat(np.arange(len(weights), dtype=np.int32), list(weights.values()))


@cache
def _emails() -> pa.Array:
    """The emails of users 1, 2, …: the sample's, then the generated ones of `headwater setup --rows`."""
    generated = (f"user{number:08d}@example.net" for number in range(1, USERS - len(SAMPLE_EMAILS) + 1))
    return pa.array([*SAMPLE_EMAILS, *generated])


@cache
def _properties() -> tuple[pa.Array, Words, Words]:
    """Every JSON text that occurs, and where those of each event type begin and how many they are."""
    pages = ("/", "/pricing", "/docs", "/docs/api", "/blog", "/changelog", "/login", "/account")
    variants: dict[str, Sequence[Mapping[str, object]]] = {
        "page_view": [{"page": page, "duration_ms": 250 * n} for page in pages for n in range(1, 241)],
        "login": [
            {"device": device, "method": method}
            for device in ("desktop", "mobile", "tablet")
            for method in ("password", "sso", "passkey")
        ],
        "purchase": [{"plan": plan, "seats": n} for plan in ("free", "pro", "enterprise") for n in range(1, 9)],
        "signup": [{"source": source} for source in ("google", "referral", "sales", "conference")],
        "refund": [{"reason": reason} for reason in ("duplicate", "not_needed", "too_expensive", "other")],
    }
    texts = [json.dumps(variant) for kind in _EVENT_TYPES for variant in variants[kind]]
    count = np.array([len(variants[kind]) for kind in _EVENT_TYPES], dtype=np.uint64)
    start = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(count)[:-1]]).astype(np.uint64)
    return pa.array(texts), start, count
