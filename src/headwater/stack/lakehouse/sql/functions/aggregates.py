"""Aggregate functions (https://trino.io/docs/current/functions/aggregate.html)."""

from __future__ import annotations

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.arithmetic import rescaled, unscaled
from headwater.stack.lakehouse.sql.expression import Expr
from headwater.stack.lakehouse.sql.functions.model import Builder, Call, Function, family

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


def _weighted_percentile(call: Call) -> Expr:
    """An approximation in Trino; here the exact value at which the weights reach the fraction."""
    value, weight, fraction = call.arguments
    if not fraction.constant:
        raise Unsupported("approx_percentile with a percentage that is not constant")
    several = fraction.type.name == "array"
    fractions = fraction.sql if several else f"[{fraction}]"
    lists = (f"list(CAST({item} AS DOUBLE)){call.over}" for item in (value, weight))
    found = f"hw_weighted({', '.join(lists)}, CAST({fractions} AS DOUBLE[]))"
    kind = t.array(value.type) if several else value.type
    return Expr(f"CAST({found if several else f'list_extract({found}, 1)'} AS {t.to_duckdb(kind)})", kind)


def _numeric_histogram(call: Call) -> str:
    buckets, value = call.arguments[0], call.arguments[1]
    weight = call.arguments[2].sql if len(call.arguments) > 2 else "CAST(1 AS DOUBLE)"
    return f"hw_numeric_histogram(any_value({buckets}){call.over}, list({value}){call.over}, list({weight}){call.over})"


# What stands for a value in a checksum: a number, or bytes.
_SHARES = {
    **dict.fromkeys((*t.INTEGERS, "boolean"), "hw_share_bigint(CAST({0} AS BIGINT))"),
    "date": "hw_share_bigint(CAST(date_diff('day', DATE '1970-01-01', {0}) AS BIGINT))",
    "timestamp": "hw_share_bigint(epoch_us({0}))",
    "double": "hw_share_double({0})",
    "real": "hw_share_real({0})",
    "varchar": "hw_share_bytes(encode({0}))",
    "varbinary": "hw_share_bytes({0})",
}


def _checksum(call: Call) -> str:
    """The sum of the rows' hashes in 64 bits; NULL has one of its own."""
    value = call.arguments[0]
    share = _SHARES.get(value.type.name)
    if value.type.name == "decimal" and value.type.params[0] <= 18:
        share = f"hw_share_bigint(CAST({unscaled(value.sql, value.type.params[1])} AS BIGINT))"
    if share is None:
        raise Unsupported(f"checksum of a {value.type}")
    shares = f"CAST(coalesce({share.format(value.sql)}, 11400714785074694791) AS HUGEINT)"
    return f"hw_checksum(CAST(sum({call.distinct}{shares}){call.over} AS HUGEINT))"


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


def _entries(call: Call, packed: str) -> str:
    """What the rows of a group give, as a list in their order, without NULL."""
    return f"list_filter(list({packed}{call.order}){call.over}, lambda e: e IS NOT NULL)"


def _first_of_each(values: str) -> str:
    return f"list_filter({values}, lambda e, i: list_position({values}, e) = i)"


def _multimap_agg(call: Call) -> str:
    key, value = call.arguments
    entries = _entries(call, f"CASE WHEN {key} IS NOT NULL THEN struct_pack(k := {key}, v := {value}) END")
    keys = _first_of_each(f"list_transform({entries}, lambda e: e.k)")
    of_key = f"list_transform(list_filter({entries}, lambda e: e.k = q), lambda e: e.v)"
    return f"CASE WHEN len({entries}) > 0 THEN map({keys}, list_transform({keys}, lambda q: {of_key})) END"


def _map_union(call: Call) -> str:
    """Of several values for a key one is kept, the first here."""
    entries = f"flatten({_entries(call, f'map_entries({call.arguments[0]})')})"
    keys = _first_of_each(f"list_transform({entries}, lambda e: e.key)")
    values = f"list_transform({keys}, lambda q: list_filter({entries}, lambda e: e.key = q)[1].value)"
    return f"CASE WHEN count({call.arguments[0]}){call.over} > 0 THEN map({keys}, {values}) END"


def _most_frequent(call: Call) -> str:
    """An approximation in Trino; exact here."""
    buckets, value, _ = call.arguments
    counted = f"map_entries(histogram({value}){call.over})"
    ranked = f"list_sort(list_transform({counted}, lambda e: struct_pack(n := -CAST(e.value AS BIGINT), k := e.key)))"
    kept = f"list_slice({ranked}, 1, any_value({buckets}){call.over})"
    return f"map(list_transform({kept}, lambda e: e.k), list_transform({kept}, lambda e: -e.n))"


def _by_several(direction: str) -> Builder:
    """``max_by(x, y, n)``: the x of the n greatest y, in that order."""

    def build(call: Call) -> str:
        if call.over or call.distinct or call.order:
            raise Unsupported(f"{call.name} of several values with FILTER, OVER, DISTINCT or ORDER BY")
        value, key, count = call.arguments
        ordered = f"list({value} ORDER BY {key} {direction}) FILTER (WHERE {key} IS NOT NULL)"
        return f"list_slice({ordered}, 1, any_value({count}))"

    return build


_REDUCED = ((("a#", "a#.s"), ("b#", "b#.e")), (("c#", "c#"), ("d#", "d#")))


def _reduce_agg(call: Call) -> Expr:
    """``reduce_agg(value, start, (state, value) -> state, …)``: all rows are one run here, no states are combined."""
    value, start, step, _ = call.arguments
    state, element = t.to_duckdb(start.type), t.to_duckdb(value.type)
    variables, body = step.sql.removeprefix("lambda ").split(": ", 1)
    first = f"struct_pack(s := CAST(any_value({start}){call.over} AS {state}), e := CAST(NULL AS {element}))"
    rest = f"list_transform({_entries(call, value.sql)}, lambda x: struct_pack(s := CAST(NULL AS {state}), e := x))"
    fold = f"lambda {variables}: struct_pack(s := CAST({body} AS {state}), e := CAST(NULL AS {element}))"
    folded = f"list_reduce(list_concat([{first}], {rest}), {fold}).s"
    return Expr(f"CASE WHEN count({value}){call.over} > 0 THEN {folded} END", start.type)


# What has no finite value is NULL: one row has no correlation.
_FINITE = "CASE WHEN isfinite({0}({{0}}, {{1}}){{over}}) THEN {0}({{0}}, {{1}}){{over}} END"

_SKEWNESS = (
    "CASE WHEN count({0}){over} > 2 THEN skewness({0}){over} * (count({0}){over} - 2) "
    "/ sqrt(count({0}){over} * (count({0}){over} - 1)) END"
)

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
    _f("approx_percentile(N, double, double) -> N", _weighted_percentile),
    _f("approx_percentile(N, double, array(double)) -> array(N)", _weighted_percentile),
    _f("checksum(any) -> varbinary", _checksum),
    _f("numeric_histogram(bigint, double) -> map(double, double)", _numeric_histogram),
    _f("numeric_histogram(bigint, double, double) -> map(double, double)", _numeric_histogram),
    _f("geometric_mean(double) -> double", "exp(avg(ln({0})){over})"),
    _f("stddev(double) -> double", "stddev_samp({0}){over}"),
    _f("stddev_samp(double) -> double", "stddev_samp({0}){over}"),
    _f("stddev_pop(double) -> double", "stddev_pop({0}){over}"),
    _f("variance(double) -> double", "var_samp({0}){over}"),
    _f("var_samp(double) -> double", "var_samp({0}){over}"),
    _f("var_pop(double) -> double", "var_pop({0}){over}"),
    _f("covar_pop(double, double) -> double", "covar_pop({0}, {1}){over}"),
    _f("covar_samp(double, double) -> double", "covar_samp({0}, {1}){over}"),
    _f("corr(double, double) -> double", _FINITE.format("corr")),
    _f("regr_slope(double, double) -> double", _FINITE.format("regr_slope")),
    _f("regr_intercept(double, double) -> double", _FINITE.format("regr_intercept")),
    _f("avg(L) -> L", "CAST(round(avg({distinct}{0}){over}) AS {result})"),
    _f("sum(L) -> L", "CAST(sum({distinct}{0}){over} AS {result})"),
    _f("approx_most_frequent(bigint, T, bigint) -> map(T, bigint)", _most_frequent),
    _f("histogram(T) -> map(T, bigint)", "CAST(histogram({0}){over} AS {result})"),
    _f("kurtosis(double) -> double", "kurtosis({0}){over}"),
    _f("skewness(double) -> double", _SKEWNESS),
    _f("map_union(map(K, V)) -> map(K, V)", _map_union),
    _f("multimap_agg(K, V) -> map(K, array(V))", _multimap_agg),
    _f("min_by(T, U, bigint) -> array(T)", _by_several("ASC")),
    _f("max_by(T, U, bigint) -> array(T)", _by_several("DESC")),
    _f("reduce_agg(T, U, (U, T) -> U, (U, U) -> U) -> U", _reduce_agg, *_REDUCED),
    _f("bitwise_and_agg(bigint) -> bigint", "bit_and({0}){over}"),
    _f("bitwise_or_agg(bigint) -> bigint", "bit_or({0}){over}"),
    _f("bitwise_xor_agg(bigint) -> bigint", "bit_xor({0}){over}"),
)
