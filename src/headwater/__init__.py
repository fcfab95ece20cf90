"""Take a PostgreSQL database to a data lake on S3, query it with Athena, and keep backups that are known to restore.

>>> import headwater
>>> hw = headwater.Headwater(bucket_name="my-lake")
>>> hw.settings.target
'local'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headwater.errors import HeadwaterError as HeadwaterError
    from headwater.pipeline import Headwater as Headwater
    from headwater.settings import Settings as Settings

__version__ = "0.1.0"
__all__ = ["Headwater", "HeadwaterError", "Settings", "__version__"]

_HOMES = {"Headwater": "headwater.pipeline", "HeadwaterError": "headwater.errors", "Settings": "headwater.settings"}


def __getattr__(name: str) -> object:
    """Import the public names when first used (PEP 562), so that the command line need not pay for them."""
    if name not in _HOMES:
        raise AttributeError(f"module 'headwater' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
