"""Remarks on days off of other regions and categories that a window leaves out."""

from collections.abc import Iterator
from typing import Final

from app.core import holiday_codes as codes
from app.core.counted import counted
from app.core.holiday_calendar import is_off
from app.core.workdays import NATIONWIDE
from app.policies.lint.holiday_gaps import (
    PUBLIC,
    Gap,
    gaps_to_categories,
    gaps_to_country,
    gaps_to_subdivisions,
    wider,
)
from app.policies.lint.holiday_view import HolidayRemark, HolidayView, more, said, selects_any, written
from app.yaml.problem import quoted

_MOST_SHOWN: Final = 3

_WORKED_ON: Final = {
    # Public in the package, but a working day at most companies; no category tells them apart.
    # Sources in docs/how-to/calendars/holidays.md.
    "NL": ("Good Friday",),
}


def region_remarks(view: HolidayView) -> Iterator[HolidayRemark]:
    """Yield remarks on days off of other regions and categories, and on days that are worked on."""
    yield from _on_regions(view)
    yield from _on_days_taken_away(view)
    yield from _on_categories(view)
    yield from _on_days_worked_on(view)
    yield from _on_working_days_around(view)


def _on_regions(view: HolidayView) -> Iterator[HolidayRemark]:
    country = view.window.country
    if country is None or view.window.subdivision is not None or view.beside.tells_regions_of(country):
        return
    gaps = view.missing(gaps_to_subdivisions(view.calendar, *view.span))
    if gaps:
        parts, first = len(codes.subdivisions(country).codes), gaps[0]
        where = ", ".join(first.where[:_MOST_SHOWN]) + (", …" if len(first.where) > _MOST_SHOWN else "")
        widest = max(gaps, key=lambda gap: len(gap.where))
        wider_one = f", {said(widest, view.window)} in {len(widest.where)}"
        sentence = (
            f"freezes nationwide days only: {said(first, view.window)} is off in {len(first.where)} of "
            f"{parts} subdivisions of {country} ({where})"
            f"{wider_one if len(widest.where) > len(first.where) else ''}{more(gaps)}; write a "
            f"subdivision, or subdivision: {NATIONWIDE} if nationwide days are meant"
        )
        yield ("country",), sentence


def _on_days_taken_away(view: HolidayView) -> Iterator[HolidayRemark]:
    if view.calendar.subdivision is None:
        return
    gaps = view.missing(gaps_to_country(view.calendar, *view.span))
    if gaps:
        sentence = (
            f"freezes less than the whole of {view.code} does: not {said(gaps[0], view.window)}"
            f"{more(gaps)}; add a window with {{country: {view.code}, subdivision: {NATIONWIDE}}}, "
            "or name the days under except_names if they are worked on"
        )
        yield ("subdivision",), sentence


def _on_categories(view: HolidayView) -> Iterator[HolidayRemark]:
    if view.window.categories:
        return
    gaps = view.missing(gaps_to_categories(view.calendar, *view.span))
    firsts: dict[str, Gap] = {}
    for gap in gaps:
        for category in gap.where:
            firsts.setdefault(category, gap)
    if firsts:
        shown = [f"{each} adds {said(gap, view.window)}" for each, gap in firsts.items()][:_MOST_SHOWN]
        more = counted(len(firsts) - len(shown), "category", "categories")
        rest = f", and {more} more" if len(firsts) > len(shown) else ""
        every = ", ".join((PUBLIC, *firsts)) if len(firsts) <= _MOST_SHOWN else f"{PUBLIC}, …"
        sentence = (
            f"freezes public holidays only: {', '.join(shown)}{rest}; "
            f"write categories: [{every}], or [{PUBLIC}] if those days are worked on"
        )
        yield (), sentence


def _on_days_worked_on(view: HolidayView) -> Iterator[HolidayRemark]:
    unexpected = () if view.window.categories else _WORKED_ON.get(view.code, ())
    selected = ((day, each) for day, held in view.soon for each in held if view.window.selects(each))
    for day, holiday in selected if unexpected else ():
        name = holiday.english_name
        if name in unexpected:
            sentence = (
                f"freezes {written(day)} {quoted(name)}, on which most companies there work; "
                f"write except_names: [{name}], or categories: [{PUBLIC}] if it is meant"
            )
            yield (), sentence
            return


def _on_working_days_around(view: HolidayView) -> Iterator[HolidayRemark]:
    window = view.window
    if not window.categories or PUBLIC in window.categories:
        return
    for key, time, step in (("eve_from", window.eve_from, -1), ("until", window.until, 1)):
        for day, held in view.soon if time is not None else ():
            around = window.working_day(day, step)
            if selects_any(window, held) and is_off(wider(view.calendar, PUBLIC), around):
                sentence = (
                    f"takes {written(around)} for a working day, a public holiday: only the days of "
                    f"categories are days off; add {PUBLIC}, and say with names which days are meant"
                )
                yield (key,), sentence
                break
