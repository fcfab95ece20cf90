"""Aggregate functions (https://trino.io/docs/current/functions/aggregate.html)."""

from __future__ import annotations

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.arithmetic import rescaled, unscaled
from headwater.stack.lakehouse.sql.expression import Expr
from headwater.stack.lakehouse.sql.functions.model import Call, Function, family

_f = family("aggregate", "aggregate")


def _sum_decimal(call: Call) -> Expr:
    """The sum of decimal(p,s) is decimal(38,s)."""
    kind = t.decimal(38, call.arguments[0].type.params[1])
    return Expr(f"CAST(sum({call.distinct}{call.arguments[0]}){call.over} AS {t.to_duckdb(kind)})", kind)


def _avg_decimal(call: Call) -> Expr:
    """The average of decimal(p,s) is decimal(p,s), exact and rounded half up; DuckDB's would be a double."""
    precision, scale = call.arguments[0].type.params
    total = f"sum({call.distinct}{call.arguments[0]}){call.over}"
    count = f"count({call.distinct}{call.arguments[0]}){call.over}"
    quotient = f"hw_round_quotient({unscaled(total, scale)}, CAST({count} AS HUGEINT))"
    sql = f"CASE WHEN {count} > 0 THEN {rescaled(quotient, precision, scale)} END"
    return Expr(sql, t.decimal(precision, scale))


def _listagg(call: Call) -> str:
    value, separator = call.arguments
    return f"string_agg({call.distinct}{value}, {separator}{call.order}){call.over}"


def _array_agg(call: Call) -> Expr:
    """NULLs are kept; no rows give NULL."""
    value = call.arguments[0]
    kind = t.array(value.type)
    return Expr(f"CAST(list({call.distinct}{value}{call.order}){call.over} AS {t.to_duckdb(kind)})", kind)


def _approx_percentile(call: Call) -> str:
    """An approximation in Trino; here the exact nearest-rank value of the same type."""
    value, fraction = call.arguments[0], call.arguments[-1]
    if not fraction.constant:
        raise Unsupported("approx_percentile with a percentage that is not constant")
    return f"quantile_disc({value}, {fraction}){call.over}"


def _bool_or_count(call: Call) -> str:
    return f"count(*){call.over}" if not call.arguments else f"count({call.distinct}{call.arguments[0]}){call.over}"


def _map_agg(call: Call) -> Expr:
    """A key with NULL is left out; of several values for a key one is kept, the first here."""
    key, value = call.arguments
    kind = t.map_of(key.type, value.type)
    keep = f"CASE WHEN {key} IS NOT NULL THEN struct_pack(k := {key}, v := {value}) END"
    entries = f"list_filter(list({keep}{call.order}){call.over}, lambda e: e IS NOT NULL)"
    all_keys = f"list_transform({entries}, lambda e: e.k)"
    keys = f"list_filter({all_keys}, lambda e, i: list_position({all_keys}, e) = i)"
    values = f"list_transform({keys}, lambda q: list_filter({entries}, lambda e: e.k = q)[1].v)"
    return Expr(f"CASE WHEN len({entries}) > 0 THEN map({keys}, {values}) END", kind)


FUNCTIONS: tuple[Function, ...] = (
    _f("count() -> bigint", _bool_or_count),
    _f("count(any) -> bigint", _bool_or_count),
    _f("count_if(boolean) -> bigint", "CAST(coalesce(count_if({distinct}{0}){over}, 0) AS BIGINT)"),
    _f("sum(I) -> bigint", "CAST(sum({distinct}{0}){over} AS BIGINT)"),
    _f("sum(decimal) -> decimal", _sum_decimal),
    _f("sum(real) -> real", "CAST(sum({distinct}{0}){over} AS FLOAT)"),
    _f("sum(double) -> double", "sum({distinct}{0}){over}"),
    _f("avg(I) -> double", "avg({distinct}{0}){over}"),
    _f("avg(decimal) -> decimal", _avg_decimal),
    _f("avg(real) -> real", "CAST(avg({distinct}{0}){over} AS FLOAT)"),
    _f("avg(double) -> double", "avg({distinct}{0}){over}"),
    _f("min(T) -> T", "min({distinct}{0}){over}"),
    _f("max(T) -> T", "max({distinct}{0}){over}"),
    _f("min(T, bigint) -> array(T)", "min({0}, {1}){over}"),
    _f("max(T, bigint) -> array(T)", "max({0}, {1}){over}"),
    _f("min_by(T, U) -> T", "arg_min_null({0}, {1}){over}"),
    _f("max_by(T, U) -> T", "arg_max_null({0}, {1}){over}"),
    _f("arbitrary(T) -> T", "any_value({0}){over}"),
    _f("any_value(T) -> T", "any_value({0}){over}"),
    _f("bool_and(boolean) -> boolean", "bool_and({0}){over}"),
    _f("every(boolean) -> boolean", "bool_and({0}){over}"),
    _f("bool_or(boolean) -> boolean", "bool_or({0}){over}"),
    _f("array_agg(T) -> array(T)", _array_agg),
    _f("map_agg(K, V) -> map(K, V)", _map_agg),
    _f("listagg(varchar, varchar) -> varchar", _listagg),
    _f("approx_distinct(any) -> bigint", "CAST(count(DISTINCT {0}){over} AS BIGINT)"),
    _f("approx_distinct(any, double) -> bigint", "CAST(count(DISTINCT {0}){over} AS BIGINT)"),
    _f("approx_percentile(N, double) -> N", _approx_percentile),
    _f("approx_percentile(N, array(double)) -> array(N)", _approx_percentile),
    _f("geometric_mean(double) -> double", "exp(avg(ln({0})){over})"),
    _f("stddev(double) -> double", "stddev_samp({0}){over}"),
    _f("stddev_samp(double) -> double", "stddev_samp({0}){over}"),
    _f("stddev_pop(double) -> double", "stddev_pop({0}){over}"),
    _f("variance(double) -> double", "var_samp({0}){over}"),
    _f("var_samp(double) -> double", "var_samp({0}){over}"),
    _f("var_pop(double) -> double", "var_pop({0}){over}"),
    _f("covar_pop(double, double) -> double", "covar_pop({0}, {1}){over}"),
    _f("covar_samp(double, double) -> double", "covar_samp({0}, {1}){over}"),
    _f("corr(double, double) -> double", "corr({0}, {1}){over}"),
    _f("regr_slope(double, double) -> double", "regr_slope({0}, {1}){over}"),
    _f("regr_intercept(double, double) -> double", "regr_intercept({0}, {1}){over}"),
    _f("bitwise_and_agg(bigint) -> bigint", "bit_and({0}){over}"),
    _f("bitwise_or_agg(bigint) -> bigint", "bit_or({0}){over}"),
    _f("bitwise_xor_agg(bigint) -> bigint", "bit_xor({0}){over}"),
)
