"""Aggregate functions (https://trino.io/docs/current/functions/aggregate.html)."""

from __future__ import annotations

import re
from dataclasses import replace

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.arithmetic import rescaled, unscaled
from headwater.stack.lakehouse.sql.coerce import coerce
from headwater.stack.lakehouse.sql.comparison import to_take_greatest_of, with_no_null_inside, with_sorted_keys
from headwater.stack.lakehouse.sql.datazones import at_instant, zoned
from headwater.stack.lakehouse.sql.expression import Expr, fail
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.functions.mapaggregates import entries_of
from headwater.stack.lakehouse.sql.functions.model import Builder, Call, Function, family

_f = family("aggregate", "aggregate")


def _sum_decimal(call: Call) -> Expr:
    """The sum of decimal(p,s) is decimal(38,s)."""
    precision, scale = call.arguments[0].type.params
    kind = t.decimal(38, scale)
    total = f"CAST(sum({call.distinct}{call.arguments[0]}){call.over} AS {t.to_duckdb(kind)})"
    if precision > 28:  # Fewer digits would take more rows than there are; DuckDB goes on with a 39th digit.
        most = f"CAST('{'9' * (38 - scale)}.{'9' * scale}' AS {t.to_duckdb(kind)})"
        refusal = fail("'NUMERIC_VALUE_OUT_OF_RANGE: Decimal overflow'", kind, f"CAST({total} AS VARCHAR)")
        total = f"CASE WHEN {total} > {most} OR {total} < -{most} THEN {refusal} ELSE {total} END"
    return Expr(total, kind)


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


def _approx_percentile(call: Call) -> Expr:
    """An approximation in Trino, exact for few values: that of rank floor(n · fraction), the larger one of two."""
    value, fraction = call.arguments[0], call.arguments[-1]
    if not fraction.constant:
        raise Unsupported("approx_percentile with a percentage that is not constant")
    message = "'INVALID_FUNCTION_ARGUMENT: Percentile must be between 0 and 1'"
    # DuckDB takes the smaller one of two, so that the fraction is a little more.
    wanted = f"CASE WHEN f < 0 OR f > 1 THEN {fail(message, t.DOUBLE, 'f')} ELSE least(f + 1e-12, 1.0) END"
    several = f"list_transform({fraction if fraction.type.name == 'array' else f'[{fraction}]'}, lambda f: {wanted})"
    wanted = several if fraction.type.name == "array" else f"list_extract({several}, 1)"
    ranked = _ranked(value)
    kind = t.array(ranked.type) if fraction.type.name == "array" else ranked.type
    return Expr(f"quantile_disc({call.distinct}{ranked}, {wanted}){call.over}", kind)


def _ranked(value: Expr) -> Expr:
    """A value whose rank is asked for: bigint, real or double."""
    if value.type.name in t.APPROXIMATE:
        return value
    return coerce(value, t.DOUBLE if value.type.name == "decimal" else t.BIGINT)


def _weighted_percentile(call: Call) -> Expr:
    """An approximation in Trino; here as if there were room for all values."""
    value, weight, fraction = call.arguments
    if not fraction.constant:
        raise Unsupported("approx_percentile with a percentage that is not constant")
    if call.distinct:
        raise Unsupported("approx_percentile of DISTINCT values with weights")
    several = fraction.type.name == "array"
    fractions = fraction.sql if several else f"[{fraction}]"
    value = _ranked(value)
    lists = (f"list(CAST({item} AS DOUBLE)){call.over}" for item in (value, weight))
    found = f"hw_weighted({', '.join(lists)}, CAST({fractions} AS DOUBLE[]))"
    if value.type.name == "bigint":
        found = f"list_transform({found}, lambda e: floor(e + 0.5))"
    kind = t.array(value.type) if several else value.type
    return Expr(f"CAST({found if several else f'list_extract({found}, 1)'} AS {t.to_duckdb(kind)})", kind)


def _approx_distinct(call: Call) -> str:
    value, *error = call.arguments
    allowed = error[0].literal if error else None
    if isinstance(allowed, (int, float)) and not 0.0040625 <= allowed <= 0.26:
        message = f"Standard error must be between 0.0040625 and 0.26: {allowed}"
        raise SqlError("INVALID_FUNCTION_ARGUMENT", message)
    return f"CAST(count(DISTINCT {with_sorted_keys(value.sql, value.type)}){call.over} AS BIGINT)"


def _no_nan(value: Expr) -> str:
    """What takes part in a maximum: NaN is the last choice in Trino, the greatest value in DuckDB."""
    return f"CASE WHEN isnan({value}) THEN NULL ELSE {value} END" if value.type.name in t.APPROXIMATE else value.sql


def _extreme(function: str) -> Builder:
    def build(call: Call) -> Expr | str:
        value = call.arguments[0]
        if value.zoned is not None:
            at, zone = value.zoned.instant, value.zoned.zone
            return zoned(f"{function}({at}){call.over}", f"arg_{function}({zone}, {at}){call.over}", value.type)
        place = to_take_greatest_of if function == "max" else with_no_null_inside
        found = f"{function}({call.distinct}{place(value.sql, value.type)}){call.over}"
        if function == "max" and value.type.name in t.APPROXIMATE:
            return f"coalesce({function}({call.distinct}{_no_nan(value)}){call.over}, {found})"
        return found

    return build


def _several(function: str) -> Builder:
    """``max(x, n)``: the n greatest values, in that order."""

    def build(call: Call) -> str:
        value, count = call.arguments
        _check_count(count, f"second argument of {function}_n must be", "positive")
        place = to_take_greatest_of if function == "max" else with_no_null_inside
        found = f"{function}({call.distinct}{place(value.sql, value.type)}, {count}){call.over}"
        if function == "max" and value.type.name in t.APPROXIMATE:
            numbers = f"coalesce(max({call.distinct}{_no_nan(value)}, {count}){call.over}, [])"
            joined = f"list_concat({numbers}, list_filter({found}, lambda e: isnan(e)))"
            return f"CASE WHEN {found} IS NOT NULL THEN list_slice({joined}, 1, any_value({count}){call.over}) END"
        return found

    return build


def _check_count(count: Expr, must_be: str, positive: str) -> None:
    if not isinstance(count.literal, int) or 0 < count.literal <= 10_000:
        return
    bound = f"less than or equal to 10000; found {count.literal}" if count.literal > 0 else positive
    raise SqlError("INVALID_FUNCTION_ARGUMENT", f"{must_be} {bound}")


def _by(function: str) -> Builder:
    """``max_by(x, y)``: the x of the greatest y."""

    def build(call: Call) -> str:
        value, key = call.arguments
        return f"{function}({value}, {_as_key(function.split('_')[1], key)}){call.over}"

    return build


def _as_key(which: str, key: Expr) -> str:
    key = at_instant(key)
    if which == "max" and key.type.name in t.APPROXIMATE:
        return f"CASE WHEN isnan({key}) THEN CAST('-inf' AS {t.to_duckdb(key.type)}) ELSE {key} END"
    return (to_take_greatest_of if which == "max" else with_no_null_inside)(key.sql, key.type)


def _numeric_histogram(call: Call) -> str:
    buckets, value = call.arguments[0], call.arguments[1]
    if call.distinct:
        raise Unsupported("numeric_histogram of DISTINCT values")
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
    counted = at_instant(call.arguments[0]) if call.arguments else ""
    return f"count({call.distinct}{counted}){call.over}" if call.arguments else f"count(*){call.over}"


def _most_frequent(call: Call) -> str:
    """An approximation in Trino; exact here."""
    buckets, value, _ = call.arguments
    counted = f"map_entries(histogram({call.distinct}{value}){call.over})"
    ranked = f"list_sort(list_transform({counted}, lambda e: struct_pack(n := -CAST(e.value AS BIGINT), k := e.key)))"
    kept = f"list_slice({ranked}, 1, any_value({buckets}){call.over})"
    return f"map(list_transform({kept}, lambda e: e.k), list_transform({kept}, lambda e: -e.n))"


def _by_several(which: str) -> Builder:
    """``max_by(x, y, n)``: the x of the n greatest y, in that order."""

    def build(call: Call) -> str:
        if call.distinct or call.order:
            raise Unsupported(f"{call.name} of several values with DISTINCT or ORDER BY")
        value, key, count = call.arguments
        _check_count(count, f"third argument of {which}_by must be", "a positive integer")
        by = _as_key(which, key)
        packed = f"CASE WHEN {key} IS NOT NULL THEN struct_pack(v := {value}) END"
        entries = entries_of(replace(call, order=f" ORDER BY {by} {'DESC' if which == 'max' else 'ASC'}"), packed)
        first = f"list_slice({entries}, 1, any_value({count}){call.over})"
        return f"CASE WHEN count({key}){call.over} > 0 THEN list_transform({first}, lambda e: e.v) END"

    return build


_REDUCED = ((("a#", "a#.s"), ("b#", "b#.e")), (("c#", "c#"), ("d#", "d#")))


def _reduce_agg(call: Call) -> Expr:
    """``reduce_agg(value, start, (state, value) -> state, …)``: all rows are one run here, no states are combined."""
    value, start, step, _ = call.arguments
    state, element = t.to_duckdb(start.type), t.to_duckdb(value.type)
    variables, body = step.sql.removeprefix("lambda ").split(": ", 1)
    first = f"struct_pack(s := CAST(any_value({start}){call.over} AS {state}), e := CAST(NULL AS {element}))"
    rest = f"list_transform({entries_of(call, value.sql)}, lambda x: struct_pack(s := CAST(NULL AS {state}), e := x))"
    fold = f"lambda {variables}: struct_pack(s := CAST({body} AS {state}), e := CAST(NULL AS {element}))"
    folded = f"list_reduce(list_concat([{first}], {rest}), {fold}).s"
    return Expr(f"CASE WHEN count({value}){call.over} > 0 THEN {folded} END", start.type)


# What more values than these are summed up by DuckDB: there the last digits depend on how Athena spreads the work.
_MOST_IN_ORDER = 1_000_000
# The third and fourth moment about the mean: DuckDB's sums of powers lose all digits beside a large mean.
_SHAPES = {
    "skewness": "sqrt(n) * {m3} / pow({m2}, 1.5)",
    "kurtosis": (
        "(n - 1) * n * (n + 1) / ((n - 2) * (n - 3)) * {m4} / pow({m2}, 2) - 3 * pow(n - 1, 2) / ((n - 2) * (n - 3))"
    ),
}


def _shape(call: Call) -> str:
    values = f"list_filter(list({call.distinct}{call.arguments[0]}){call.over}, lambda e: e IS NOT NULL)"
    powers = {f"m{k}": f"list_sum(list_transform(s.l, lambda e: pow(e - s.m, {k})))" for k in (2, 3, 4)}
    computed = re.sub(r"\bn\b", "CAST(len(s.l) AS DOUBLE)", _SHAPES[call.name]).format(**powers)
    many = f"list_transform([struct_pack(l := {values}, m := list_avg({values}))], lambda s: {computed})"
    few = f"hw_{call.name}(CASE WHEN len({values}) <= {_MOST_IN_ORDER} THEN {values} END)"
    # DuckDB takes a NaN of a routine for NULL.
    found = f"coalesce({few}, CAST('nan' AS DOUBLE))"
    least = 3 if call.name == "skewness" else 4
    return f"CASE WHEN len({values}) > {_MOST_IN_ORDER} THEN {many}[1] WHEN len({values}) >= {least} THEN {found} END"


_LOGARITHM = (
    "CASE WHEN {0} > 0 THEN ln({0}) WHEN {0} = 0 THEN CAST('-inf' AS DOUBLE) "
    "WHEN {0} < 0 THEN CAST('nan' AS DOUBLE) END"
)
_COVARIANCES, _REGRESSIONS = ("covar_pop", "covar_samp"), ("corr", "regr_slope", "regr_intercept")


def _of_pairs(call: Call) -> str:
    """What has no finite value is NULL: one row has no correlation."""
    y, x = call.arguments
    packed = ", ".join(f"{name} := CAST({value} AS DOUBLE)" for name, value in (("y", y), ("x", x)))
    pair = f"CASE WHEN {y} IS NOT NULL AND {x} IS NOT NULL THEN struct_pack({packed}) END"
    pairs = entries_of(call, pair)
    many = f"{call.name}({call.distinct}{y}, {x}){call.over}"
    many = f"CASE WHEN isfinite({many}) THEN {many} END"
    few = f"hw_of_pairs(CASE WHEN len({pairs}) <= {_MOST_IN_ORDER} THEN {pairs} END, '{call.name}')"
    found = f"CASE WHEN len({pairs}) > {_MOST_IN_ORDER} THEN {many} WHEN len({pairs}) > 0 THEN {few} END"
    return f"CAST({found} AS {t.to_duckdb(call.result)})"


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
    _f("arbitrary(T) -> T", "any_value({0}){over}"),
    _f("any_value(T) -> T", "any_value({0}){over}"),
    _f("bool_and(boolean) -> boolean", "bool_and({0}){over}"),
    _f("every(boolean) -> boolean", "bool_and({0}){over}"),
    _f("bool_or(boolean) -> boolean", "bool_or({0}){over}"),
    _f("array_agg(T) -> array(T)", _array_agg),
    _f("listagg(varchar, varchar) -> varchar", _listagg),
    _f("approx_distinct(any) -> bigint", _approx_distinct),
    _f("approx_distinct(any, double) -> bigint", _approx_distinct),
    _f("checksum(any) -> varbinary", _checksum),
    _f("numeric_histogram(bigint, double) -> map(double, double)", _numeric_histogram),
    _f("numeric_histogram(bigint, double, double) -> map(double, double)", _numeric_histogram),
    _f("stddev(double) -> double", "stddev_samp({distinct}{0}){over}"),
    _f("stddev_samp(double) -> double", "stddev_samp({distinct}{0}){over}"),
    _f("stddev_pop(double) -> double", "stddev_pop({distinct}{0}){over}"),
    _f("variance(double) -> double", "var_samp({distinct}{0}){over}"),
    _f("var_samp(double) -> double", "var_samp({distinct}{0}){over}"),
    _f("var_pop(double) -> double", "var_pop({distinct}{0}){over}"),
    _f("avg(L) -> L", "CAST(round(avg({distinct}{0}){over}) AS {result})"),
    _f("sum(L) -> L", "CAST(sum({distinct}{0}){over} AS {result})"),
    _f("approx_most_frequent(bigint, T, bigint) -> map(T, bigint)", _most_frequent),
    _f("histogram(T) -> map(T, bigint)", "CAST(histogram({distinct}{0}){over} AS {result})"),
    _f("kurtosis(double) -> double", _shape),
    _f("skewness(double) -> double", _shape),
    _f("reduce_agg(T, U, (U, T) -> U, (U, U) -> U) -> U", _reduce_agg, *_REDUCED),
    _f("bitwise_and_agg(bigint) -> bigint", "bit_and({0}){over}"),
    _f("bitwise_or_agg(bigint) -> bigint", "bit_or({0}){over}"),
    _f("bitwise_xor_agg(bigint) -> bigint", "bit_xor({distinct}{0}){over}"),
    _f("min(O) -> O", _extreme("min")),
    _f("max(O) -> O", _extreme("max")),
    _f("min(O, bigint) -> array(O)", _several("min")),
    _f("max(O, bigint) -> array(O)", _several("max")),
    _f("min_by(T, O) -> T", _by("arg_min_null")),
    _f("max_by(T, O) -> T", _by("arg_max_null")),
    _f("min_by(T, O, bigint) -> array(T)", _by_several("min")),
    _f("max_by(T, O, bigint) -> array(T)", _by_several("max")),
    _f("approx_percentile(N, double) -> any", _approx_percentile),
    _f("approx_percentile(N, array(double)) -> any", _approx_percentile),
    _f("approx_percentile(N, double, double) -> any", _weighted_percentile),
    _f("approx_percentile(N, double, array(double)) -> any", _weighted_percentile),
    _f("geometric_mean(double) -> double", f"exp(avg({{distinct}}{_LOGARITHM}){{over}})"),
    _f("geometric_mean(real) -> real", f"CAST(exp(avg({{distinct}}{_LOGARITHM}){{over}}) AS FLOAT)"),
    *(
        _f(f"{name}({kind}, {kind}) -> {kind}", f"CAST({name}({{distinct}}{{0}}, {{1}}){{over}} AS {{result}})")
        for kind in ("double", "real")
        for name in _COVARIANCES
    ),
    *(_f(f"{name}({kind}, {kind}) -> {kind}", _of_pairs) for kind in ("double", "real") for name in _REGRESSIONS),
)
