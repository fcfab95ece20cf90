"""Distribution functions and vector measures (https://trino.io/docs/current/functions/math.html)."""

from __future__ import annotations

from headwater.stack.lakehouse.sql.functions.model import Function, family

_m = family("mathematical")
_V = "array(double), array(double)"
_S = "map(varchar, double), map(varchar, double)"

# A routine's NaN comes as NULL, which the cosine is only if a map or a value is.
_ALL_VALUES = " AND ".join(f"len(map_values({{{place}}})) = list_count(map_values({{{place}}}))" for place in (0, 1))
_SPARSE_COSINE = f"coalesce(hw_sparse_cosine({{all}}), CASE WHEN {_ALL_VALUES} THEN CAST('nan' AS DOUBLE) END)"

FUNCTIONS: tuple[Function, ...] = (
    _m("beta_cdf(double, double, double) -> double", "hw_beta_cdf({all})"),
    _m("inverse_beta_cdf(double, double, double) -> double", "hw_inverse_beta_cdf({all})"),
    # DuckDB takes a NaN of a routine for NULL.
    _m(
        "normal_cdf(double, double, double) -> double",
        "CASE WHEN {0} + {1} + {2} IS NOT NULL THEN coalesce(hw_normal_cdf({all}), CAST('nan' AS DOUBLE)) END",
    ),
    _m("inverse_normal_cdf(double, double, double) -> double", "hw_inverse_normal_cdf({all})"),
    _m("t_pdf(double, double) -> double", "hw_t_pdf({all})"),
    _m("t_cdf(double, double) -> double", "hw_t_cdf({all})"),
    _m("wilson_interval_lower(bigint, bigint, double) -> double", "hw_wilson_lower({all})"),
    _m("wilson_interval_upper(bigint, bigint, double) -> double", "hw_wilson_upper({all})"),
    _m(f"dot_product({_V}) -> double", "hw_dot_product({all})"),
    _m(f"euclidean_distance({_V}) -> double", "hw_euclidean_distance({all})"),
    _m(f"cosine_similarity({_V}) -> double", "hw_cosine({all})"),
    _m(f"cosine_similarity({_S}) -> double", _SPARSE_COSINE),
    _m(f"cosine_distance({_V}) -> double", "(1 - hw_cosine({all}))"),
    _m(f"cosine_distance({_S}) -> double", f"(1 - {_SPARSE_COSINE})"),
    _m("width_bucket(double, double, double, bigint) -> bigint", "hw_width_bucket({all})"),
    _m("width_bucket(double, array(double)) -> bigint", "hw_bin({all})"),
)
