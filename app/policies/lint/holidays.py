"""Remarks on holiday windows: days that the author probably expects to be frozen, but that are not.

A day counts as expected if the package lists it as a day off in another region or category of the same
calendar. A remark disappears once the policy is explicit: by `subdivision`, `categories` or `except_names`,
or by another window that freezes the day.
"""

from collections.abc import Iterator

from app.core.holiday_calendar import FIRST_YEAR, LAST_YEAR
from app.core.instant import DAY
from app.core.policy import Policy
from app.core.wallclock import calendar_date
from app.core.windows.holidays import Holidays
from app.policies.lint.holiday_forecast import forecast_remarks
from app.policies.lint.holiday_names import name_remarks, never_remarks
from app.policies.lint.holiday_own_days import own_day_remarks, weekend_remarks
from app.policies.lint.holiday_regions import region_remarks
from app.policies.lint.holiday_view import Beside, HolidayRemark, HolidayView
from app.policies.lint.placed_window import placed_windows
from app.yaml.document import Document
from app.yaml.problem import Path, Problem, Severity


def holiday_problems(document: Document, path: Path, policy: Policy, now: int) -> Iterator[Problem]:
    """Yield a warning for each remark on the holiday windows of a policy.

    Args:
        document: the file.
        path: where the policy stands in it.
        policy: the policy.
        now: the instant from which "the next two years" are seen.
    """
    today = now // DAY
    if not FIRST_YEAR <= calendar_date(today).year < LAST_YEAR:
        return
    for placed in placed_windows(policy):
        window = placed.entry.window
        if isinstance(window, Holidays):
            view = HolidayView(window, Beside.of(window, placed.beside), today)
            for inner, sentence in _remarks(view, freezes=placed.freezes):
                yield document.problem((*path, *placed.path, *inner), sentence, Severity.WARNING)


def _remarks(view: HolidayView, *, freezes: bool) -> Iterator[HolidayRemark]:
    """Yield all remarks; `freezes` if an open window closes deploys, so that a missing day opens them."""
    never = list(never_remarks(view))
    yield from never
    yield from own_day_remarks(view)
    if not freezes or (never and not view.window.names):
        return
    yield from weekend_remarks(view)
    if view.calendar.is_listed:
        yield from name_remarks(view)
        yield from region_remarks(view)
        yield from forecast_remarks(view)
