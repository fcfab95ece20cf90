"""Arithmetic with Trino's result types: exact decimals, truncating integer division, errors where Trino has errors."""

from __future__ import annotations

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.coerce import as_decimal, coerce, common_type
from headwater.stack.lakehouse.sql.datazones import at_clock, at_instant, at_other_instant, wall_clock_of
from headwater.stack.lakehouse.sql.expression import Expr, fail
from headwater.stack.lakehouse.sql.failures import Position, SqlError
from headwater.stack.lakehouse.sql.nanoseconds import in_microseconds, is_nano, refuse_nanos, with_nanoseconds

_DIVISION_BY_ZERO = "'DIVISION_BY_ZERO: Division by zero'"


def arithmetic(operator: str, left: Expr, right: Expr, position: Position) -> Expr:
    """``left operator right`` for ``+ - * / %``."""
    if not (_numeric(left) and _numeric(right)):
        timed = _time_arithmetic(operator, left, right)
        if timed is None:
            raise SqlError("TYPE_MISMATCH", f"Cannot apply operator: {left.type} {operator} {right.type}", position)
        return timed
    kind = common_type(left.type, right.type)
    if kind is None or kind.name == "unknown":
        kind = t.INTEGER
    constant = left.constant and right.constant
    if kind.name == "decimal":
        kind = decimal_result(operator, left.type, right.type)
        if kind.params[1] > t.MAX_PRECISION:
            message = f"DECIMAL scale must be in range [0, precision (38)]: {kind.params[1]}"
            raise SqlError("INVALID_FUNCTION_ARGUMENT", message, position)
        return Expr(_decimal(operator, left, right, kind), kind, constant=constant)
    a, b = coerce(left, kind).sql, coerce(right, kind).sql
    if kind.name in t.APPROXIMATE:
        # Trino's % is Java's: the sign of the dividend. DuckDB's fmod agrees.
        return Expr(f"CAST({a} {operator} {b} AS {t.to_duckdb(kind)})", kind, constant=constant)
    if operator == "/":
        return Expr(f"({a} // {not_zero(b, right, kind)})", kind, constant=constant)
    if operator == "%":
        # By -1, DuckDB reports an overflow for the smallest integer; by 1 it is 0 too.
        one = b if isinstance(right.literal, int) and right.literal != -1 else f"CASE WHEN {b} = -1 THEN 1 ELSE {b} END"
        return Expr(f"({a} % {not_zero(one, right, kind)})", kind, constant=constant)
    return Expr(f"({a} {operator} {b})", kind, constant=constant)


def _numeric(value: Expr) -> bool:
    return t.is_numeric(value.type) or value.type.name == "unknown"


def not_zero(sql: str, original: Expr, kind: t.Type) -> str:
    """The divisor, or the error that Trino raises where DuckDB would give NULL or infinity."""
    if isinstance(original.literal, (int, float)) and original.literal != 0:
        return sql
    return f"CASE WHEN {sql} = 0 THEN {fail(_DIVISION_BY_ZERO, kind, sql)} ELSE {sql} END"


def decimal_result(operator: str, left: t.Type, right: t.Type) -> t.Type:
    """Trino's precision and scale of a decimal operation (https://trino.io/docs/current/functions/decimal.html).

    >>> str(decimal_result("/", t.decimal(10, 2), t.decimal(3, 0)))
    'decimal(10,2)'
    """
    a, b = as_decimal(left), as_decimal(right)
    (p1, s1), (p2, s2) = (a or t.decimal(1, 0)).params, (b or t.decimal(1, 0)).params
    if operator in "+-":
        scale = max(s1, s2)
        return t.decimal(min(t.MAX_PRECISION, max(p1 - s1, p2 - s2) + scale + 1), scale)
    if operator == "*":
        return t.decimal(min(t.MAX_PRECISION, p1 + p2), s1 + s2)
    if operator == "/":
        return t.decimal(min(t.MAX_PRECISION, p1 + s2 + max(0, s2 - s1)), max(s1, s2))
    return t.decimal(min(p2 - s2, p1 - s1) + max(s1, s2), max(s1, s2))


def _decimal(operator: str, left: Expr, right: Expr, kind: t.Type) -> str:
    scale = kind.params[1]
    s1 = (as_decimal(left.type) or kind).params[1]
    s2 = (as_decimal(right.type) or kind).params[1]
    a, b = left.sql, right.sql
    target = t.to_duckdb(kind)
    if operator == "/":
        return _quotient(Expr(a, as_decimal(left.type) or kind), right, s2, kind)
    if operator == "%":
        divisor = not_zero(f"CAST({b} AS DECIMAL(38,{scale}))", right, t.decimal(38, scale))
        quick = f"CAST(CAST({a} AS DECIMAL(38,{scale})) % {divisor} AS {target})"
        return _narrow(operator, (left, right), quick, kind)
    if operator == "*":
        # Both sides wide, so that DuckDB multiplies in 128 bits and never caps at 18 digits.
        p1 = max((as_decimal(left.type) or kind).params[0], 19)
        p2 = max((as_decimal(right.type) or kind).params[0], 19)
        return f"CAST(CAST({a} AS DECIMAL({p1},{s1})) * CAST({b} AS DECIMAL({p2},{s2})) AS {target})"
    quick = f"CAST(CAST({a} AS {target}) {operator} CAST({b} AS {target}) AS {target})"
    return _narrow(operator, (left, right), quick, kind)


def _narrow(operator: str, sides: tuple[Expr, Expr], quick: str, kind: t.Type) -> str:
    """The quick form where both sides can be written with the result's scale, which all but the widest can."""
    room = t.MAX_PRECISION - kind.params[1]
    types = [as_decimal(side.type) or kind for side in sides]
    limits = [
        f"abs(CAST({side.sql} AS DOUBLE)) < 9e{room - 1}"
        for side, known in zip(sides, types, strict=True)
        if known.params[0] - known.params[1] > room
    ]
    if not limits:
        return quick
    left, right = sides
    divisor = not_zero(right.sql, right, right.type) if operator == "%" else right.sql
    return f"CASE WHEN {' AND '.join(limits)} THEN {quick} ELSE {exactly(operator, left.sql, divisor, kind)} END"


def exactly(operator: str, left: str, right: str, kind: t.Type) -> str:
    """The operation in as many digits as it takes, or the error that the result has more than 38."""
    texts = f"CAST({left} AS VARCHAR), CAST({right} AS VARCHAR)"
    return f"CAST(hw_decimal('{operator}', {texts}, {kind.params[1]}) AS {t.to_duckdb(kind)})"


def _quotient(left: Expr, right: Expr, s2: int, kind: t.Type) -> str:
    """In 128 bits where the values allow it, else in as many as it takes."""
    precision, scale = kind.params
    s1 = left.type.params[1]
    shift = scale + s2 - s1
    numerator, denominator = unscaled(left.sql, s1), not_zero(unscaled(right.sql, s2), right, t.BIGINT)
    shifted = f"{numerator} * {10 ** max(shift, 0)}::HUGEINT"
    quick = rescaled(f"hw_round_quotient({shifted}, CAST({denominator} AS HUGEINT))", precision, scale)
    slow = exactly("/", left.sql, not_zero(right.sql, right, right.type), kind)
    # How many digits before the point leave room for the shift, the result's scale and the digits of the unscaled.
    room = min(min(37, t.MAX_PRECISION - scale) - shift - s1, t.MAX_PRECISION - 2 * s1)
    other = min(37 - s2, t.MAX_PRECISION - 2 * s2)
    if room <= 0 or other <= 0:
        return slow
    limits = [
        f"abs(CAST({sql} AS DOUBLE)) < 9e{most - 1}"
        for sql, digits, most in (
            (left.sql, left.type.params[0] - s1, room),
            (right.sql, (as_decimal(right.type) or kind).params[0] - s2, other),
        )
        if digits > most
    ]
    return f"CASE WHEN {' AND '.join(limits)} THEN {quick} ELSE {slow} END" if limits else quick


def unscaled(sql: str, scale: int) -> str:
    """A decimal's digits as an integer: exact, because the product has no fraction left."""
    if scale == 0:
        return f"CAST({sql} AS HUGEINT)"
    return f"CAST(CAST({sql} AS DECIMAL(38,{scale})) * CAST({10**scale} AS DECIMAL({min(scale + 1, 38)},0)) AS HUGEINT)"


def rescaled(integer_sql: str, precision: int, scale: int) -> str:
    """The decimal whose digits are an integer."""
    if scale == 0:
        return f"CAST({integer_sql} AS DECIMAL({precision},0))"
    unit = f"CAST('0.{'1'.zfill(scale)}' AS DECIMAL({scale},{scale}))"
    return f"CAST(CAST({integer_sql} AS DECIMAL({38 - scale},0)) * {unit} AS DECIMAL({precision},{scale}))"


_TIMES = ("date", "timestamp", "timestamptz", "time", "timetz")


def _time_arithmetic(operator: str, left: Expr, right: Expr) -> Expr | None:
    intervals = (t.DAY_TO_SECOND.name, t.YEAR_TO_MONTH.name)
    if left.type.name in intervals and right.type.name in intervals and left.type == right.type and operator in "+-":
        return Expr(f"({left.sql} {operator} {right.sql})", left.type)
    if left.type.name in intervals and t.is_numeric(right.type) and operator in "*/":
        return _scaled_interval(operator, left, right)
    if right.type.name in intervals and t.is_numeric(left.type) and operator == "*":
        return _scaled_interval(operator, right, left)
    if left.type.name in intervals and right.type.name in _TIMES and operator == "+":
        left, right = right, left
    if left.type.name in _TIMES and right.type.name in intervals and operator in "+-":
        months = right.type == t.YEAR_TO_MONTH
        return None if months and left.type.name in ("time", "timetz") else _shifted(operator, left, right)
    if left.type.name == right.type.name and operator == "-" and left.type.name in _TIMES:
        return _distance(left, right)
    return None


def _scaled_interval(operator: str, interval: Expr, factor: Expr) -> Expr:
    """By a double, cut to whole milliseconds or months; NaN and division by zero have no result."""
    kind, number = t.to_duckdb(interval.type), f"CAST({factor.sql} AS DOUBLE)"
    word = "multiply" if operator == "*" else "divide"
    message = f"'INVALID_FUNCTION_ARGUMENT: Cannot {word} interval by double ' || hw_double_text({number})"
    wrong = f"isnan({number})" if operator == "*" else f"isnan({number}) OR {number} = 0"
    refusal = fail(message, interval.type)
    scaled = f"CAST(trunc({interval.sql} {operator} {number}) AS {kind})"
    return Expr(f"CASE WHEN {wrong} THEN {refusal} ELSE {scaled} END", interval.type)


def _shifted(operator: str, moment: Expr, interval: Expr) -> Expr:
    """A date stays a date: Trino refuses to add hours to it. A month is a calendar month, clipped to its last day."""
    sign = "" if operator == "+" else "-"
    if t.to_duckdb(moment.type) == "TIME_NS":
        raise Unsupported(f"arithmetic with {moment.type} (more than six fractional digits)")
    if is_nano(moment.type):
        return with_nanoseconds(_shifted(operator, in_microseconds(moment), interval), moment)
    if interval.type == t.YEAR_TO_MONTH:
        shifted = f"{moment.sql} + to_months({sign}{interval.sql})"
        if moment.type.name == "timestamptz":
            return at_clock(f"({wall_clock_of(moment)} + to_months({sign}{interval.sql}))", moment)
    elif moment.type.name == "date":
        message = "'INVALID_FUNCTION_ARGUMENT: Cannot add hour, minutes or seconds to a date'"
        refusal = fail(message, t.BIGINT, interval.sql)
        days = f"CASE WHEN {interval.sql} % 86400000 <> 0 THEN {refusal} ELSE {interval.sql} // 86400000 END"
        shifted = f"{moment.sql} + CAST({sign}({days}) AS INTEGER)"
    else:
        shifted = f"{at_instant(moment)} + to_microseconds({sign}1000 * {interval.sql})"
        # An interval has milliseconds, and so has the sum.
        precision = max(t.precision_of(moment.type), 3)
        kind = t.Type(moment.type.name, (precision,), zone=moment.type.zone)
        moved = f"CAST({shifted} AS {t.to_duckdb(kind)})"
        return at_other_instant(moved, moment, kind)
    return Expr(f"CAST({shifted} AS {t.to_duckdb(moment.type)})", moment.type)


def _distance(left: Expr, right: Expr) -> Expr:
    """In milliseconds, rounded half up as Trino rounds the difference."""
    refuse_nanos("arithmetic", left.type, right.type)
    micros = f"(epoch_us({at_instant(left)}) - epoch_us({at_instant(right)}))"
    if max(t.precision_of(left.type), t.precision_of(right.type)) <= 3:
        return Expr(f"({micros} // 1000)", t.DAY_TO_SECOND)
    return Expr(f"(({micros} + 500 - (({micros} + 500) % 1000 + 1000) % 1000) // 1000)", t.DAY_TO_SECOND)
