"""The difference of two policy sets: which hours open or close, for whom, and what changed in the policies.

How a difference is found: policies are paired by id, else by content. One that both sets have alike can't
make a difference; it matters only where another one does, because a veto on both sides leaves nothing to
open or close. So only those services are compared that a policy of one set alone applies to, or whose entry
in the catalogue changed. They are the catalogued ones, those named without a star, and one sample for each
class of unlisted names that globs tell apart (`unlisted`). For each, the policies of either set are found for
all environments and kinds of change at once, as bits (`scopes`); equal ones are compared once. The time in
which a policy vetoes is a row of bits, too: one for each piece of the period between two bounds of any policy
(`bitmaps`). What opens is the old row without the new one. Services, environments and kinds of change with
the same hours form one `Difference`.

Ad-hoc freezes are left out. A set that refuses unknown services denies them at all times. Environments and
kinds of change that only one set knows are not compared, for the other set has no answer for them: `limits`
names them, so that nobody takes the difference for the whole.
"""

from app.core.diff.comparison import diff
from app.core.diff.limits import TooManyHoursError
from app.core.diff.representation import to_json
from app.core.diff.result import (
    Diff,
    Difference,
    Hours,
    NameChanges,
    PolicyChange,
    ServiceGroup,
    SetNames,
    SettingChange,
    UnlistedNames,
)
from app.core.diff.words import in_words

__all__ = [
    "Diff",
    "Difference",
    "Hours",
    "NameChanges",
    "PolicyChange",
    "ServiceGroup",
    "SetNames",
    "SettingChange",
    "TooManyHoursError",
    "UnlistedNames",
    "diff",
    "in_words",
    "to_json",
]
