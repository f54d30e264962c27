"""Whether runs that waited were answered as they should be, by what GitHub saw and what the gate recorded."""

from collections import Counter
from collections.abc import Sequence

from app.core.hold import Hold, HoldState
from app.core.instant import MINUTE
from app.core.release import Pace
from tests.integrations.github.fake import MOST_REPORTS, Run


def judge(runs: Sequence[Run], holds: Sequence[Hold], opens: int, pace: Pace) -> None:
    """Assert that none was approved early, late, out of turn, or with too many reports."""
    assert len(holds) == len(runs)
    assert Counter(hold.state for hold in holds) == {HoldState.APPROVED: len(runs)}
    decided = {run.id: run.decided_at or 0.0 for run in runs}
    assert min(decided.values()) >= opens
    assert max(len(run.reports) for run in runs) <= MOST_REPORTS
    by_turn = sorted(holds, key=lambda hold: (hold.released_at or 0, hold.created_at))
    released = [hold.released_at or 0 for hold in by_turn]
    for first, later in zip(released, released[pace.batch :], strict=False):
        assert later - first >= pace.every, "no faster than the pace"
    turns = [opens, *(at + pace.every for at in released[pace.batch - 1 :: pace.batch])]
    for place, hold in enumerate(by_turn):
        late = decided[hold.target["run_id"]] - turns[place // pace.batch]
        assert late <= MINUTE, f"{place}: {late} s after its turn"
    batch, others = by_turn[: pace.batch], by_turn[pace.batch :]
    longest = max(hold.created_at for hold in batch)
    assert all(longest <= hold.created_at for hold in others), "the longest waiting first"
