"""The query stage: the example queries, or any SQL, in Athena, with what it scanned, how long it took and its price."""

from __future__ import annotations

from headwater.stages.query.examples import EXAMPLES
from headwater.stages.query.plan import QueryPlan, Statement, plan, split
from headwater.stages.query.run import Result, run

__all__ = ["EXAMPLES", "QueryPlan", "Result", "Statement", "plan", "run", "split"]
