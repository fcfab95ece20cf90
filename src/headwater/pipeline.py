"""The Python API: one object per project whose methods are the stages, in the order of the pipeline."""

from __future__ import annotations

from pathlib import Path

from headwater.connections import Connections
from headwater.settings import Settings, load


class Headwater:
    """A project: its settings, its connections and its stages.

    Every method may be called again: it converges on the same state. Stages import what they need when they are
    called, so that importing headwater stays quick.

    >>> hw = Headwater(bucket_name="my-lake")
    >>> hw.settings.bucket_name
    'my-lake'
    """

    def __init__(self, project: Path | str | None = None, *, settings: Settings | None = None, **overrides: str | int):
        folder = Path(project) if project is not None else None
        self.settings = settings if settings is not None else load(folder, overrides=overrides)
        self.connections = Connections(self.settings)
