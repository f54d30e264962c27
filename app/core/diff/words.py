"""A difference in words: the lines of the terminal and of pages."""

from app.core.diff.result import Diff
from app.core.explain import local_time
from app.core.wallclock import Zone


def in_words(found: Diff, zone: Zone) -> list[str]:
    """Return a difference in lines of plain text, with local times of a zone."""
    lines = [f"{each.kind}: {each.id}" for each in found.policies]
    for each in found.differences:
        lines.append(f"{', '.join(each.services.names)} in {', '.join(each.environments)}:")
        for hours in each.hours:
            verb = "opens" if hours.opens else "closes"
            start, end = (local_time(at, zone, found.period[0]) for at in (hours.start, hours.end))
            lines.append(f"  {verb} {start} to {end}")
    return lines
