"""The freeze periods of a GitLab project.

A period has no name, so the ids of those that were created are remembered in the store. What is about to be
created is remembered before: after a crash, it is recognised by what it says and by an id above all that were
there. New periods are created before old ones are deleted, so that no freeze is interrupted.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from app.core.errors import MalformedValueError
from app.gate.projection_state import ProjectionPlace, Written
from app.gate.projections import Projections
from app.integrations.calls import Reply, call
from app.integrations.gitlab.section import ProjectedPeriods
from app.integrations.projector import ProjectionError, refuse
from app.policies.projections.gitlab import period_of
from app.policies.projections.projection import Projected, Window, differences

if TYPE_CHECKING:
    import httpx

_PAGE: Final = 100
_MOST_PAGES: Final = 50
"""Pages of a project; ours alone fill a few."""

_NOT_FOUND: Final = 404

Periods = Mapping[int, Window]


class FreezePeriods:
    """The freeze periods of a project."""

    def __init__(
        self, url: str, section: ProjectedPeriods, place: ProjectionPlace, projections: Projections
    ) -> None:
        """Call the API at `url` with the token of `section`; remember ids in `projections`."""
        self.place = place
        self._section = section
        self._projections = projections
        self._url = f"{url}/api/v4/projects/{quote(place.name, safe='')}/freeze_periods"

    async def sync(self, http: "httpx.AsyncClient", wanted: Projected) -> Written:
        """Make the periods of ours the wanted ones; see `app.integrations.projector.Place`."""
        listed = await self._listed(http)
        remembered = await self._projections.remembered(self.place) or {}
        ours = _ours(listed, remembered)
        found = differences(wanted.windows, ours.values())
        if not found:
            if "creating" in remembered:
                await self._projections.remember(self.place, {"ids": list(ours)})
            return Written()
        await self._create(http, found.missing, ours, max(listed, default=0))
        for number in _numbers(found.surplus, ours):
            await self._delete(http, number)
        return Written(len(found.missing), len(found.surplus))

    async def _listed(self, http: "httpx.AsyncClient") -> Periods:
        """Return all periods of the project by their ids."""
        found: dict[int, Window] = {}
        for page in range(1, _MOST_PAGES + 1):
            url = f"{self._url}?per_page={_PAGE}&page={page}"
            reply = await call(http, "GET", url, self._headers())
            entries = self._data(reply, "reading the freeze periods")
            if not isinstance(entries, list):
                raise MalformedValueError("the answer of GitLab is no list of freeze periods")
            found.update({_number(each): period_of(each) for each in entries})
            if len(entries) < _PAGE:
                return found
        raise ProjectionError(f"the project has more than {_MOST_PAGES * _PAGE} freeze periods")

    async def _create(
        self, http: "httpx.AsyncClient", missing: Sequence[Window], ours: Periods, above: int
    ) -> None:
        """Create periods, and remember their ids."""
        ids = list(ours)
        if missing:
            await self._projections.remember(
                self.place, {"ids": ids, "creating": list(missing), "above": above}
            )
        for period in missing:
            reply = await call(http, "POST", self._url, self._headers(), period)
            ids.append(_number(self._data(reply, "creating a freeze period")))
        await self._projections.remember(self.place, {"ids": ids})

    async def _delete(self, http: "httpx.AsyncClient", number: int) -> None:
        reply = await call(http, "DELETE", f"{self._url}/{number}", self._headers())
        if not reply.is_success and reply.status != _NOT_FOUND:
            raise refuse(reply, "deleting a freeze period")

    def _data(self, reply: Reply, what: str) -> Any:
        if reply.status == _NOT_FOUND:
            raise ProjectionError(f"{what}: there is no such project, or the token does not reach it")
        if not reply.is_success:
            raise refuse(reply, what)
        return reply.data()

    def _headers(self) -> dict[str, str]:
        return {"PRIVATE-TOKEN": self._section.newest("token").get_secret_value()}


def _ours(listed: Periods, remembered: Mapping[str, Any]) -> Periods:
    """Return the periods that this gate created, also those of an attempt that broke off."""
    known, creating = set(remembered.get("ids", ())), remembered.get("creating", ())
    above = remembered.get("above", 0)
    return {
        number: period
        for number, period in listed.items()
        if number in known or (number > above and period in creating)
    }


def _number(entry: Any) -> int:
    number = entry.get("id") if isinstance(entry, Mapping) else None
    if not isinstance(number, int):
        raise MalformedValueError("a freeze period of GitLab has no id")
    return number


def _numbers(surplus: Sequence[Window], ours: Periods) -> list[int]:
    """Return the ids of periods, as many of each as there are too many."""
    left = list(surplus)
    found = []
    for number, period in ours.items():
        if period in left:
            left.remove(period)
            found.append(number)
    return found
