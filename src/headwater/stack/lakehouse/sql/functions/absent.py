"""Functions that Athena has and this engine has not: they are refused by name, not reported as unknown."""

from __future__ import annotations

_SKETCHES = (
    *("approx_set", "empty_approx_set", "merge", "qdigest_agg", "tdigest_agg", "value_at_quantile"),
    *("values_at_quantiles", "quantile_at_value", "make_set_digest", "merge_set_digest", "intersection_cardinality"),
    *("jaccard_index", "hash_counts"),
)
_GEOSPATIAL = (
    *("bing_tile", "bing_tile_at", "bing_tile_coordinates", "bing_tile_polygon", "bing_tile_quadkey"),
    *("bing_tile_zoom_level", "bing_tiles_around", "convex_hull_agg", "from_encoded_polyline", "from_geojson_geometry"),
    *("geometry_from_hadoop_shape", "geometry_invalid_reason", "geometry_nearest_points", "geometry_to_bing_tiles"),
    *("geometry_union", "geometry_union_agg", "great_circle_distance", "line_interpolate_point"),
    *("line_interpolate_points", "line_locate_point", "simplify_geometry", "to_encoded_polyline"),
    *("to_geojson_geometry", "to_geometry", "to_spherical_geography"),
)
_LEARNING = (
    *("classify", "features", "learn_classifier", "learn_libsvm_classifier", "learn_libsvm_regressor"),
    *("learn_regressor", "regress"),
)
_OTHERS = ("bar", "char2hexint", "color", "render", "rgb", "version")
_ABSENT = frozenset((*_SKETCHES, *_GEOSPATIAL, *_LEARNING, *_OTHERS))


def is_absent(name: str) -> bool:
    """Whether a lower-case name is one of a function of Athena that is not here.

    >>> is_absent("st_point"), is_absent("bar"), is_absent("nope")
    (True, True, False)
    """
    return name in _ABSENT or name.startswith("st_")
