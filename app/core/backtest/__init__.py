"""The backtest: what a candidate policy set would have done to recorded decisions.

Decisions are counted as a stream, and few are kept, as examples. The policies of the candidate are read as
they are, over the whole period. Ad-hoc freezes stand as they were: their vetoes are in the record. A later
step of a running deploy is judged as `app.core.continuation` says, by the end that it had.

As in `app.core.insights`, a deploy that went out is counted once, by its first step, and denied claims are
counted one by one.
"""

from app.core.backtest.backtesting import EXAMPLES, Backtesting
from app.core.backtest.fates import SHOWN, Backtest, Example, Fate, Group, PolicyEffect, Recorded, UnknownName
from app.core.backtest.sums import OTHERS

__all__ = [
    "EXAMPLES",
    "OTHERS",
    "SHOWN",
    "Backtest",
    "Backtesting",
    "Example",
    "Fate",
    "Group",
    "PolicyEffect",
    "Recorded",
    "UnknownName",
]
