"""Deliveries that did not arrive: GitHub lists them, and sends none of them again by itself.

One replica looks through the list, and deals with what no replica has answered as if it had just come. The
list goes back three days, and seven on GitHub Enterprise Server. Nothing has to reach the gate for that, so
it also works while webhooks are blocked, only later.
"""

import logging
from typing import TYPE_CHECKING, Any, Final

from app.core.errors import MalformedValueError
from app.core.instant import DAY, MINUTE, parse_instant
from app.gate.errors import InvalidFieldError
from app.gate.leases import Lease
from app.integrations.github.client import App, Call, Reply
from app.integrations.github.delivery import Delivery
from app.integrations.github.events import HANDLERS, handle
from app.integrations.github.section import GitHub
from app.integrations.vendor import Surroundings

if TYPE_CHECKING:
    import httpx

LEASE: Final = "github-deliveries"

LISTED: Final = 7 * DAY
"""Seconds that the list goes back at most."""

_OVERLAP: Final = 10 * MINUTE
"""Seconds before the last pass that are looked at again: a delivery is listed when it has ended."""

_PAGE: Final = 100
_MOST_PAGES: Final = 300
"""Pages of one pass; at the start of a busy App, older deliveries than that are not looked for."""

_GONE: Final = frozenset({404, 410, 422})
"""Statuses by which GitHub says that it has no payload of a delivery any more."""

_logger: Final = logging.getLogger("freezegate.github")


class UnansweredError(Exception):
    """GitHub didn't give what was asked for; the next pass goes on."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"GitHub answered {reply.status}")


class MissedDeliveries:
    """The deliveries of an App that no replica answered."""

    def __init__(self, section: GitHub, app: App, surroundings: Surroundings) -> None:
        """Look for them as the App of a section."""
        self._section = section
        self._app = app
        self._gate = surroundings.gate
        self._clock = surroundings.clock
        self._lease: Lease = surroundings.gate.lease(LEASE, surroundings.own_name)
        self._seen_until = 0
        self._done: dict[str, int] = {}
        """The ids that were dealt with here, and when."""

    async def look(self, http: "httpx.AsyncClient") -> None:
        """Deal with what was missed since the last pass, if this replica holds the lease or can take it.

        Raises:
            UnansweredError: GitHub didn't give what was asked for.
            httpx.HTTPError: it didn't answer.
            FreezegateError: the gate can't record now.
        """
        if not await self._lease.take():
            self._seen_until = 0  # another replica looks; from the beginning, once it is our turn again
            return
        now = self._clock.now()
        since = max(self._seen_until - _OVERLAP, now - LISTED)
        for entry in missed(await self._listed(http, since)):
            if entry["guid"] in self._done:
                continue
            if not await self._lease.take():
                return
            await self._deal_with(http, entry)
            self._done[entry["guid"]] = now
        self._seen_until = now
        self._done = {guid: at for guid, at in self._done.items() if at >= now - LISTED}

    async def release(self) -> None:
        """Let another replica look."""
        await self._lease.release()

    async def _listed(self, http: "httpx.AsyncClient", since: int) -> list[dict[str, Any]]:
        """Return the deliveries since an instant, newest first."""
        found: list[dict[str, Any]] = []
        path: str | None = f"/app/hook/deliveries?per_page={_PAGE}"
        for _ in range(_MOST_PAGES):
            if path is None:
                break
            reply = await self._app.call(http, Call("GET", path))
            if not reply.is_good or not isinstance(reply.content, list):
                raise UnansweredError(reply)
            page = [each for each in map(_entry, reply.content) if each is not None]
            found += page
            path = None if any(each["at"] < since for each in page) else reply.next
        return [each for each in found if each["at"] >= since]

    async def _deal_with(self, http: "httpx.AsyncClient", entry: dict[str, Any]) -> None:
        reply = await self._app.call(http, Call("GET", f"/app/hook/deliveries/{entry['id']}"))
        if not reply.is_good and reply.status not in _GONE:
            raise UnansweredError(reply)
        fields = {"delivery": entry["guid"], "event": entry["event"]}
        try:
            delivery = Delivery(entry["event"], entry["guid"], _payload(reply.content))
            done = await handle(self._section, self._gate, self._clock, delivery)
        except (MalformedValueError, InvalidFieldError) as error:
            _logger.warning("a missed delivery can't be used: %s", error, extra={"fields": fields})
        else:
            _logger.info("a missed delivery was dealt with: %s", done, extra={"fields": fields})


def missed(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the deliveries that matter and that nobody answered, oldest first, each event once."""
    answered = {each["guid"] for each in entries if each["is_answered"]}
    wanted = {
        each["guid"]: each for each in entries if each["guid"] not in answered and each["event"] in HANDLERS
    }
    return sorted(wanted.values(), key=lambda each: (each["at"], each["id"]))


def _entry(listed: object) -> dict[str, Any] | None:
    """Return the parts of an entry of the list that are used; None if it hasn't the documented form."""
    try:
        entry: dict[str, Any] = {**listed}  # type: ignore[dict-item]
        return {
            "id": int(entry["id"]),
            "guid": str(entry["guid"]),
            "event": str(entry["event"]),
            "at": parse_instant(str(entry["delivered_at"])),
            "is_answered": 200 <= int(entry["status_code"]) < 300,  # noqa: PLR2004 - good answers
        }
    except (KeyError, TypeError, ValueError):
        return None


def _payload(content: Any) -> dict[str, Any]:
    """Return the payload of a delivery.

    Raises:
        MalformedValueError: there is none.
    """
    request = content.get("request") if isinstance(content, dict) else None
    payload = request.get("payload") if isinstance(request, dict) else None
    if not isinstance(payload, dict):
        raise MalformedValueError("the list has no payload of it any more")
    return payload
