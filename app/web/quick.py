"""The short forms of ops: a title freezes, chips say until when, and freezing everything is confirmed."""

from collections.abc import Mapping
from typing import Final

from fastapi import Request
from fastapi.responses import Response

from app.core.explain import local_time
from app.core.instant import DAY
from app.core.policy import PolicySet, Selector
from app.core.wallclock import Zone
from app.gate.freezes import StartRequest
from app.identity.caller import Caller
from app.server.context import context
from app.server.root_path import root_of
from app.web.pages import html_response, render, split_list
from app.web.viewer import viewer_of

_ALL: Final = "*"
"""The value of the checkbox for everything; no name has this letter."""

_ENDS: Final = ("ttl", "until", "open_ended")
_UNTIL_LIFTED: Final = "lifted"
_END_OF_DAY: Final = "day"


def quick_freeze(form: Mapping[str, str], home: Zone, now: int) -> dict[str, str]:
    """Return the form of a freeze with the fields that its chips stand for.

    A duration or an end that is filled in counts instead of the chip. See `wrong_choice` for environments.
    """
    fields = {
        name: value for name, value in form.items() if name not in ("lasts", "confirmed", "environments")
    }
    if not any(name in fields for name in _ENDS):
        fields |= _end(form.get("lasts", ""), home, now)
    chosen = split_list(form.get("environments", ""))
    # None for all, as the API has it.
    return fields | ({"environments": ",".join(chosen)} if chosen and _ALL not in chosen else {})


def wrong_choice(form: Mapping[str, str]) -> list[dict[str, str]]:
    """Return what is wrong with the chosen environments of a freeze.

    Neither no choice nor everything and some must freeze more than was meant.
    """
    chosen = split_list(form.get("environments", ""))
    if not chosen:
        return [{"field": "environments", "message": "choose everything, or some"}]
    if _ALL in chosen and chosen != [_ALL]:
        return [{"field": "environments", "message": "choose either everything, or some"}]
    return []


def quick_grant(form: Mapping[str, str]) -> dict[str, str]:
    """Return the form of an override with the duration that its chip stands for, unless one is filled in."""
    fields = {name: value for name, value in form.items() if name != "expires"}
    if "expires" in form and not {"ttl", "expires_at"} & fields.keys():
        fields["ttl"] = form["expires"]
    return fields


def is_unconfirmed(form: Mapping[str, str], selector: Selector, policy_set: PolicySet) -> bool:
    """Return whether a form would freeze all services in all environments, and this was not confirmed."""
    places = set(policy_set.environments)
    chosen = selector.environments
    is_everywhere = chosen is None or (len(places) > 1 and places <= set(chosen))
    is_all = is_everywhere and selector.services is None and selector.tags is None
    return is_all and "confirmed" not in form


def confirmation(request: Request, caller: Caller, form: Mapping[str, str], wanted: StartRequest) -> Response:
    """Ask whether everything is to be frozen; the page has the form, to be sent again."""
    in_force = context(request).policies.in_force
    body = render(
        "confirm.html",
        root_of(request),
        viewer=viewer_of(request, caller),
        values=form,
        policy_set=in_force.policy_set,
        home=in_force.home,
        lasting=_lasting(wanted, in_force.home, context(request).clock.now()),
    )
    return html_response(body)


def _lasting(wanted: StartRequest, home: Zone, now: int) -> str:
    """Return from when to when a freeze lasts, in words."""
    start = "" if wanted.starts_at is None else f"from {local_time(wanted.starts_at, home, now)} "
    if wanted.ends_at is None:
        return f"{start}until it is lifted"
    return f"{start}until {local_time(wanted.ends_at, home, now)}"


def _end(lasts: str, home: Zone, now: int) -> dict[str, str]:
    """Return the field of a freeze that a chip stands for."""
    if lasts == _UNTIL_LIFTED:
        return {"open_ended": "yes"}
    if lasts == _END_OF_DAY:
        midnight = home.earliest((home.local(now) // DAY + 1) * DAY)
        return {"ttl": f"{midnight - now}s"}
    return {"ttl": lasts} if lasts else {}
