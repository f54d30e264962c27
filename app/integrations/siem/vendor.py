"""The table entry of SIEM systems."""

from collections.abc import Coroutine, Sequence
from typing import Final

from app.integrations.destination import Destination
from app.integrations.siem.push import Push
from app.integrations.siem.section import Siem
from app.integrations.vendor import Surroundings, Vendor


def _work(section: Siem, surroundings: Surroundings) -> Sequence[Coroutine[None, None, None]]:
    feed = surroundings.gate.event_feed(surroundings.own_name, from_start=section.since == "beginning")
    push = Push(section, feed, Destination(section, surroundings.outbound))
    return [push.run(surroundings)]


VENDOR: Final = Vendor("siem", section=Siem, work=_work)
