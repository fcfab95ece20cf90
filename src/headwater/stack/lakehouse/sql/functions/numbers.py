"""Mathematical and bitwise functions (https://trino.io/docs/current/functions/math.html)."""

from __future__ import annotations

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.arithmetic import arithmetic, exactly
from headwater.stack.lakehouse.sql.expression import Expr, fail, quote_text
from headwater.stack.lakehouse.sql.functions.model import Builder, Call, Function, family

_f = family("mathematical")
_b = family("bitwise")
_c = family("comparison")


def _whole(function: str) -> Builder:
    """ceil, floor and round: integers stay, decimal(p,s) becomes decimal(p-s+1,0), doubles stay doubles."""

    def build(call: Call) -> Expr:
        value = call.arguments[0]
        if value.type.name in t.INTEGERS:
            return value
        kind = value.type
        if kind.name == "decimal":
            precision, scale = kind.params
            kind = t.decimal(min(precision - scale + min(scale, 1), t.MAX_PRECISION), 0)
        return Expr(f"CAST({function}({value}) AS {t.to_duckdb(kind)})", kind, constant=value.constant)

    return build


_NO_UNIT = "'NUMERIC_VALUE_OUT_OF_RANGE: numerical overflow'"


def _unit(digits: Expr, value: Expr) -> str:
    """The power of ten to which an integer is rounded; beyond a bigint it is an error, whatever the value."""
    none = fail(_NO_UNIT, t.BIGINT, value.sql)
    return f"CASE WHEN {digits} < -18 THEN {none} ELSE CAST(pow(10, -{digits}) AS BIGINT) END"


def _round_to(call: Call) -> Expr:
    value, digits = call.arguments
    kind = t.to_duckdb(value.type)
    if value.type.name in t.INTEGERS:
        if isinstance(digits.literal, int) and digits.literal >= 0:
            return value
        rounded = f"CAST(hw_round_integer({value}, {_unit(digits, value)}) AS {kind})"
        return Expr(f"CASE WHEN {digits} >= 0 THEN {value} WHEN {value} IS NOT NULL THEN {rounded} END", value.type)
    if value.type.name == "decimal":
        return _round_decimal(value, digits)
    return Expr(f"CAST(hw_round_double({value}, {digits}) AS {kind})", value.type)


def _round_decimal(value: Expr, digits: Expr) -> Expr:
    if not isinstance(digits.literal, int):
        raise Unsupported("round() of a decimal to digits that are not a literal")
    precision, scale = value.type.params
    kind = t.decimal(min(precision + 1, t.MAX_PRECISION), scale)
    if digits.literal >= scale:
        return Expr(f"CAST({value} AS {t.to_duckdb(kind)})", kind)
    if digits.literal >= 0:
        return _fitting(f"round({value}, {digits.literal})", precision, kind)
    if precision - scale + digits.literal < 0:
        return Expr(f"CASE WHEN {value} IS NOT NULL THEN CAST(0 AS {t.to_duckdb(kind)}) END", kind)
    # DuckDB's round() gives 0 for round(99.9, -2), which is 100.
    unit = f"CAST({10**-digits.literal} AS HUGEINT)"
    return _fitting(f"hw_round_integer(CAST(trunc({value}) AS HUGEINT), {unit})", precision, kind)


def _fitting(rounded: str, precision: int, kind: t.Type) -> Expr:
    """One digit more than before holds every rounded value; where there is none, rounding may overflow."""
    if precision < t.MAX_PRECISION:
        return Expr(f"CAST({rounded} AS {t.to_duckdb(kind)})", kind)
    return Expr(exactly("+", rounded, "0", kind), kind)


def _truncate(call: Call) -> Expr:
    value = call.arguments[0]
    if value.type.name == "decimal":
        precision, scale = value.type.params
        kind = t.decimal(max(precision - scale, 1), 0)
        return Expr(f"CAST(trunc({value}) AS {t.to_duckdb(kind)})", kind)
    return Expr(f"CAST(trunc({value}) AS {t.to_duckdb(value.type)})", value.type)


def _mod(call: Call) -> Expr:
    return arithmetic("%", call.arguments[0], call.arguments[1], call.position)


def _guarded(function: str, valid: str, otherwise: str) -> str:
    """Java's Math gives NaN or an infinity where DuckDB ends the query."""
    return f"CASE WHEN {valid} OR isnan({{0}}) THEN {function} WHEN {{0}} IS NOT NULL THEN {otherwise} END"


_NAN = "CAST('nan' AS DOUBLE)"
_LOG_OTHERWISE = f"CASE WHEN {{0}} = 0 THEN CAST('-inf' AS DOUBLE) ELSE {_NAN} END"


def _log_of(function: str) -> str:
    return _guarded(function, "{0} > 0", _LOG_OTHERWISE)


def _extreme(function: str) -> Builder:
    """NULL if any argument is NULL, where DuckDB skips NULLs; NaN only if there is nothing else."""

    def build(call: Call) -> Expr:
        anything = " OR ".join(f"{a} IS NULL" for a in call.arguments)
        values = ", ".join(a.sql for a in call.arguments)
        found = f"{function}({values})"
        if function == "greatest" and call.result.name in t.APPROXIMATE:
            # NaN is the last choice; DuckDB has it as the greatest.
            numbers = ", ".join(f"CASE WHEN NOT isnan({a}) THEN {a} END" for a in call.arguments)
            found = f"coalesce(greatest({numbers}), {found})"
        return Expr(f"CASE WHEN {anything} THEN NULL ELSE {found} END", call.result)

    return build


def _sign(call: Call) -> Expr:
    value = call.arguments[0]
    kind = t.decimal(1, 0) if value.type.name == "decimal" else value.type
    if kind.name in t.APPROXIMATE:
        # NaN and -0.0 are their own sign.
        sql = (
            f"CASE WHEN isnan({value}) OR {value} = 0 THEN {value} ELSE CAST(sign({value}) AS {t.to_duckdb(kind)}) END"
        )
        return Expr(sql, kind)
    return Expr(f"CAST(sign({value}) AS {t.to_duckdb(kind)})", kind)


def _truncate_to(call: Call) -> Expr:
    """Digits behind the given place become 0; the type stays."""
    value, digits = call.arguments
    kind = t.to_duckdb(value.type)
    if value.type.name == "decimal":
        if not isinstance(digits.literal, int):
            raise Unsupported("truncate() of a decimal to digits that are not a literal")
        unit = f"CAST('{10 ** max(-digits.literal, 0)}' AS DECIMAL(38,0))"
        if digits.literal >= 0:
            return Expr(f"CAST(trunc({value}, {digits.literal}) AS {kind})", value.type)
        return Expr(f"CAST(trunc({value}) - trunc({value}) % {unit} AS {kind})", value.type)
    scale = f"pow(10, {digits})"
    return Expr(f"CAST(trunc({value} * {scale}) / {scale} AS {kind})", value.type)


def _random_below(call: Call) -> Expr:
    """``random(n)`` and ``random(m, n)``; the upper bound is never drawn."""
    low, high = ("0", call.arguments[0].sql) if len(call.arguments) == 1 else (a.sql for a in call.arguments)
    wrong = "bound must be positive" if low == "0" else "start value must be less than stop value"
    message = quote_text(f"INVALID_FUNCTION_ARGUMENT: {wrong}")
    kind = call.arguments[-1].type
    drawn = f"CAST({low} + floor(random() * (CAST({high} AS HUGEINT) - {low})) AS {t.to_duckdb(kind)})"
    return Expr(f"CASE WHEN {high} <= {low} THEN {fail(message, kind, high)} ELSE {drawn} END", kind)


def _shift(mode: str) -> Builder:
    """Shifts in the width of the value's type; what leaves it is lost."""

    def build(call: Call) -> Expr:
        value, shift = call.arguments
        width = {"tinyint": 8, "smallint": 16, "integer": 32}.get(value.type.name, 64)
        shifted = f"hw_shift_{mode}({value}, {shift}, {width})"
        return Expr(f"CAST({shifted} AS {t.to_duckdb(value.type)})", value.type)

    return build


FUNCTIONS: tuple[Function, ...] = (
    _f("abs(N) -> N", "abs({0})"),
    # One Newton step: DuckDB's cbrt(27) is 3.0000000000000004.
    _f(
        "cbrt(double) -> double",
        "CASE WHEN {0} = 0 OR isinf({0}) OR isnan({0}) THEN {0} ELSE "
        "cbrt({0}) - (cbrt({0}) * cbrt({0}) * cbrt({0}) - {0}) / (3 * cbrt({0}) * cbrt({0})) END",
    ),
    _f("ceil(N) -> N", _whole("ceil")),
    _f("ceiling(N) -> N", _whole("ceil")),
    _f("floor(N) -> N", _whole("floor")),
    _f("round(N) -> N", _whole("round")),
    _f("round(N, bigint) -> N", _round_to),
    _f("truncate(N) -> N", _truncate),
    _f("truncate(N, bigint) -> N", _truncate_to),
    _f(
        "to_base(bigint, bigint) -> varchar",
        lambda call: Expr(f"hw_to_base({call.arguments[0]}, {call.arguments[1]})", t.varchar(64)),
    ),
    _f("from_base(varchar, bigint) -> bigint", "hw_from_base({0}, {1})"),
    _f("random(I) -> I", _random_below),
    _f("random(I, I) -> I", _random_below),
    _f("rand(I) -> I", _random_below),
    _f("rand(I, I) -> I", _random_below),
    _f("degrees(double) -> double", "degrees({0})"),
    _f("radians(double) -> double", "radians({0})"),
    _f("e() -> double", "exp(CAST(1 AS DOUBLE))"),
    _f("pi() -> double", "pi()"),
    _f("exp(double) -> double", "exp({0})"),
    _f("ln(double) -> double", _log_of("ln({0})")),
    _f("log2(double) -> double", _log_of("ln({0}) / ln(CAST(2 AS DOUBLE))")),
    _f("log10(double) -> double", _log_of("log10({0})")),
    _f("log(double, double) -> double", f"({_log_of('ln({0})').replace('{0}', '{1}')}) / ({_log_of('ln({0})')})"),
    _f("mod(N, M) -> N", _mod),
    _f("pow(double, double) -> double", "pow({0}, {1})"),
    _f("power(double, double) -> double", "pow({0}, {1})"),
    _f("sign(N) -> N", _sign),
    _f("sqrt(double) -> double", _guarded("sqrt({0})", "{0} >= 0", _NAN)),
    _f("random() -> double", "random()"),
    _f("rand() -> double", "random()"),
    _f("acos(double) -> double", _guarded("acos({0})", "abs({0}) <= 1", _NAN)),
    _f("asin(double) -> double", _guarded("asin({0})", "abs({0}) <= 1", _NAN)),
    _f("atan(double) -> double", "atan({0})"),
    _f("atan2(double, double) -> double", "atan2({0}, {1})"),
    _f("cos(double) -> double", "cos({0})"),
    _f("cosh(double) -> double", "cosh({0})"),
    _f("sin(double) -> double", "sin({0})"),
    _f("sinh(double) -> double", "sinh({0})"),
    _f("tan(double) -> double", "tan({0})"),
    _f("tanh(double) -> double", "tanh({0})"),
    _f("infinity() -> double", "CAST('inf' AS DOUBLE)"),
    _f("nan() -> double", "CAST('nan' AS DOUBLE)"),
    _f("is_nan(double) -> boolean", "isnan({0})"),
    _f("is_finite(double) -> boolean", "isfinite({0})"),
    _f("is_infinite(double) -> boolean", "isinf({0})"),
    _c("greatest(T, T...) -> T", _extreme("greatest")),
    _c("least(T, T...) -> T", _extreme("least")),
    _b("bitwise_and(bigint, bigint) -> bigint", "({0} & {1})"),
    _b("bitwise_or(bigint, bigint) -> bigint", "({0} | {1})"),
    _b("bitwise_xor(bigint, bigint) -> bigint", "xor({0}, {1})"),
    _b("bitwise_not(bigint) -> bigint", "(~{0})"),
    _b("bitwise_left_shift(I, bigint) -> I", _shift("left")),
    _b("bitwise_right_shift(I, bigint) -> I", _shift("right")),
    _b("bitwise_right_shift_arithmetic(I, bigint) -> I", _shift("arithmetic")),
    _b("bit_count(bigint, bigint) -> bigint", "hw_bit_count({0}, {1})"),
)
