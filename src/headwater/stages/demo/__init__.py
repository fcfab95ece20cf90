"""The demo's real data: flights to load into PostgreSQL, and what Athena must answer about them."""

from __future__ import annotations

from headwater.stages.demo.expected import ExpectedFlights, expected
from headwater.stages.demo.flights import FlightsReport, load

__all__ = ["ExpectedFlights", "FlightsReport", "expected", "load"]
