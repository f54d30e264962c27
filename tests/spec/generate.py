"""Policy sets and questions made from a seed, half of the instants within hours of a transition."""

import copy
import random
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from tests.spec.twin import EARLIEST, LATEST, WEEK, shown, zone

COUNTRIES = ("NL", "US", "DE", "JP", "GB", "CN", "IL", "AE", "BR", "IN", "NO")
NAMES = {
    "NO": ("Grunnlovsdag", "Constitution Day", "Pentecost*", "Pentecost Monday", "*pinsedag", "*e*"),
    "AE": ("Eid al-Fitr", "*(estimated)", "عيد الفطر", "Eid al-Adha*", "National Day"),
    "US": ("Christmas Day", "New Year's Day (observed)", "*(observed)", "Independence Day", "*Day*"),
    "IN": ("Independence Day", "Prophet's Birthday", "*Birthday", "Diwali", "Good Friday"),
    "GB": ("Christmas Day", "*(observed)", "*Holiday*", "Good Friday", "May Day"),
}
"""Names that are marked in some years, or share a day with others in some."""
PARTS: tuple[dict[str, Any], ...] = (
    {"country": "CA", "subdivision": "ON", "names": ["*Day"]},
    {"country": "AU", "subdivision": "NSW", "except_names": ["Easter*"]},
    {"country": "US", "subdivision": "MA"},
    {"country": "DE", "subdivision": "none"},
    {"country": "DE", "subdivision": "BY", "categories": ["public", "catholic"]},
    {"market": "XNYS", "categories": ["public", "half_day"]},
    {"market": "XLON", "names": ["Christmas Day*"]},
)
HOUR = 3_600
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
NTH = ("first", "2nd", "3rd", *(f"{number}th" for number in range(4, 21)), "21st", "22nd", "23rd")


class Question(NamedTuple):
    service: str
    environment: str
    change: str
    duration: int
    at: int


@cache
def zone_names() -> list[str]:
    listed = resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()
    return sorted(set(listed) - {"Factory"})


class Case(NamedTuple):
    policy_set: dict[str, Any]
    questions: list[Question]
    near: tuple[int, int]
    """The instants around which everything happens."""


def case(seed: int, questions: int) -> Case:
    rng = random.Random(seed)
    zones = [rng.choice(zone_names()) for _ in range(2)]
    centre = _centre(rng, zones)
    services = None
    if rng.random() < 0.5:
        services = {
            name: {"tags": rng.sample(["tier-1", "tier-2", "pci"], 2), "timezone": rng.choice(zones)}
            for name in ("api", "web/shop", "docs")
        }
    policy_set: dict[str, Any] = {
        "version": 1,
        "timezone": zones[0],
        "environments": ["production", "staging"],
        "policies": [_policy(rng, number, zones, services, centre) for number in range(rng.randrange(1, 6))],
    }
    if services:
        policy_set["services"] = services
    asked = [_question(rng, centre) for _ in range(questions)]
    return Case(policy_set, asked, (centre - 5 * 86_400, centre + 5 * 86_400))


class Pair(NamedTuple):
    old: dict[str, Any]
    new: dict[str, Any]
    services: list[str]
    """Names to ask for: of the catalogues, of policies, such as their patterns match, and others."""
    near: tuple[int, int]
    """The instants around which everything happens."""


PATTERNS = ("web/*", "*", "a*", "*b", "*pi", "*-x/*", "web/s*", "d*s", "*a*b*", "w*/*")


def pair(seed: int) -> Pair:
    """A set and what became of it after a few changes; sometimes another set altogether."""
    rng = random.Random(seed)
    zones = [rng.choice(zone_names()) for _ in range(2)]
    centre = _centre(rng, zones)
    old = _set_for_pair(rng, zones, centre)
    if rng.random() < 0.2:
        new = _set_for_pair(rng, zones, centre)
    else:
        new = copy.deepcopy(old)
        for _ in range(rng.choice((1, 1, 2, 3))):
            _change(rng, new, zones, centre)
    services = {
        "api",
        "docs",
        "web/shop",
        "other",
        *(old.get("services") or ()),
        *(new.get("services") or ()),
    }
    for pattern in PATTERNS:
        filled = "".join(
            rng.choice(("", "a", "b", "pi", "-x", "s")) if sign == "*" else sign for sign in pattern
        )
        services.add(filled.strip("-/") or "x")
    return Pair(old, new, sorted(services), (centre - 5 * 86_400, centre + 5 * 86_400))


def _set_for_pair(rng: random.Random, zones: list[str], centre: int) -> dict[str, Any]:
    services = _catalogue(rng, zones) if rng.random() < 0.5 else None
    policy_set: dict[str, Any] = {
        "version": 1,
        "timezone": rng.choice(zones),
        "environments": rng.choice((["production", "staging"], ["production", "staging", "test"])),
        "policies": [
            _policy_of_pair(rng, number, zones, services, centre) for number in range(rng.randrange(1, 6))
        ],
    }
    if services:
        policy_set["services"] = services
        if rng.random() < 0.3:
            policy_set["unknown_services"] = "refuse"
    return policy_set


def _catalogue(rng: random.Random, zones: list[str]) -> dict[str, Any]:
    names = rng.sample(("api", "web/shop", "docs", "ab", "x-x/y"), 3)
    catalogue: dict[str, Any] = {}
    for name in names:
        catalogue[name] = {"tags": rng.sample(["tier-1", "tier-2", "pci"], rng.randrange(3))}
        if rng.random() < 0.7:
            catalogue[name]["timezone"] = rng.choice(zones)
    return catalogue


def _policy_of_pair(
    rng: random.Random, number: int, zones: list[str], services: dict[str, Any] | None, centre: int
) -> dict[str, Any]:
    policy = _policy(rng, number, zones, services, centre)
    for key in ("applies_to", "exempt"):
        if rng.random() < 0.35:
            selector = {"services": rng.sample(PATTERNS, rng.choice((1, 1, 2)))}
            policy[key] = [selector, _selector(rng, services)] if rng.random() < 0.3 else selector
    return policy


def _change(rng: random.Random, policy_set: dict[str, Any], zones: list[str], centre: int) -> None:
    policies, services = policy_set["policies"], policy_set.get("services")
    kind = rng.choice(
        ("add", "remove", "edit", "edit", "edit", "order", "rename", "set", "service", "service")
    )
    if kind == "add" or not policies:
        policies.append(_policy_of_pair(rng, 100 + len(policies), zones, services, centre))
    elif kind == "remove":
        policies.remove(rng.choice(policies))
    elif kind == "edit":
        fresh = _policy_of_pair(rng, 0, zones, services, centre)
        key = rng.choice(("when", "except_when", "applies_to", "exempt", "timezone", "effect"))
        changed = rng.choice(policies)
        changed.pop(key, None)
        if key in fresh or key in ("when", "effect"):
            changed[key] = fresh[key]
    elif kind == "order":
        rng.shuffle(policies)
    elif kind == "rename":
        rng.choice(policies)["id"] = f"renamed-{rng.randrange(1000)}"
    elif kind == "set":
        _change_set(rng, policy_set, zones)
    else:
        _change_service(rng, policy_set, zones)


def _change_set(rng: random.Random, policy_set: dict[str, Any], zones: list[str]) -> None:
    if rng.random() < 0.4:
        policy_set["timezone"] = rng.choice(zones)
    elif rng.random() < 0.4:
        policy_set["environments"] = rng.sample(["production", "staging", "test", "qa"], 2)
    elif rng.random() < 0.5:
        policy_set["changes"] = rng.sample(["normal", "hotfix", "rollback", "config"], 3)
    elif policy_set.get("services"):
        policy_set["unknown_services"] = rng.choice(("allow", "refuse"))


def _change_service(rng: random.Random, policy_set: dict[str, Any], zones: list[str]) -> None:
    if not policy_set.get("services") or rng.random() < 0.15:
        policy_set["services"] = _catalogue(rng, zones)
        return
    name = rng.choice(sorted(policy_set["services"]))
    if rng.random() < 0.2 and len(policy_set["services"]) > 1:
        del policy_set["services"][name]
    elif rng.random() < 0.3:
        policy_set["services"]["ab"] = {"tags": ["pci"]}
    elif rng.random() < 0.5:
        policy_set["services"][name]["timezone"] = rng.choice(zones)
    else:
        policy_set["services"][name]["tags"] = rng.sample(["tier-1", "tier-2", "pci"], rng.randrange(3))


def _centre(rng: random.Random, zones: list[str]) -> int:
    """An instant: a transition of one of the zones where there is one, in half of the cases.

    In a quarter of them, it is the end of a month.
    """
    anywhere = rng.randrange(EARLIEST + 400 * 86_400, LATEST - 800 * 86_400)
    chance = rng.random()
    if chance < 0.2:
        return anywhere
    if chance < 0.45:
        first = datetime.fromtimestamp(anywhere, UTC).replace(day=1, hour=0, minute=0, second=0)
        return int(first.timestamp()) + rng.randrange(-14, 15) * HOUR
    where = zone(rng.choice(zones))

    def offset(instant: int) -> timedelta:
        return shown(instant, where) - shown(instant, zone("UTC"))

    for start in range(anywhere, anywhere + 400 * 86_400, 7 * 86_400):
        before, after = start, start + 7 * 86_400
        if offset(before) != offset(after):
            while after - before > 1:
                middle = (before + after) // 2
                before, after = (middle, after) if offset(middle) == offset(before) else (before, middle)
            return after
    return anywhere


def _question(rng: random.Random, centre: int) -> Question:
    at = (
        centre + rng.randrange(-3 * HOUR, 3 * HOUR)
        if rng.random() < 0.5
        else centre + rng.randrange(-86_400 * 4, 86_400 * 4)
    )
    if rng.random() < 0.3:
        at -= at % 900  # bounds are often on the quarter of an hour
        at += rng.choice((-1, 0, 0, 1))
    duration = rng.choice((0, 0, 0, 0, 1, 2, 600, HOUR, 7 * HOUR))
    return Question(
        rng.choice(("api", "web/shop", "docs")),
        rng.choice(("production", "production", "staging")),
        rng.choice(("normal", "normal", "hotfix", "rollback")),
        duration,
        at,
    )


def _policy(
    rng: random.Random, number: int, zones: list[str], services: dict[str, Any] | None, centre: int
) -> dict[str, Any]:
    effect = rng.choices(("deny", "allow-only", "warn"), (6, 2, 2))[0]
    policy: dict[str, Any] = {"id": f"p{number}", "title": f"P{number}", "reason": "r", "effect": effect}
    policy["when"] = [_window(rng, centre) for _ in range(rng.choice((1, 1, 2)))]
    if rng.random() < 0.3:
        policy["except_when"] = [_window(rng, centre)]
    if rng.random() < 0.4:
        policy["timezone"] = rng.choice([*zones, "service"]) if services else rng.choice(zones)
    if rng.random() < 0.4:
        policy["applies_to"] = _selector(rng, services)
    if rng.random() < 0.2:
        policy["exempt"] = [{"changes": ["rollback"]}, _selector(rng, services)]
    return policy


def _selector(rng: random.Random, services: dict[str, Any] | None) -> dict[str, Any]:
    choices: list[dict[str, Any]] = [
        {"environments": ["production"]},
        {"services": ["api", "docs"]},
        {"services": ["web/*"]},
        {"services": ["*"]},
        {"changes": ["normal", "hotfix"]},
        {"environments": ["staging"], "changes": ["normal"]},
    ]
    if services:
        choices += [{"tags": ["tier-*"]}, {"tags": ["pci"]}]
    return rng.choice(choices)


def _time(rng: random.Random) -> str:
    minute = rng.choice((0, 0, 0, 15, 30, 30, 45, 59))
    return f"{rng.choice((0, 1, 2, 3, rng.randrange(24))):02}:{minute:02}"


def _window(rng: random.Random, centre: int) -> dict[str, Any]:
    kind = rng.choice(
        (
            *("weekly", "weekly", "monthly", "monthly", "daily", "daily", "dates", "yearly", "holidays"),
            *("cron", "cron", "always"),
        )
    )
    return {kind: globals()[f"_{kind}"](rng, centre)}


def _weekly(rng: random.Random, centre: int) -> dict[str, Any]:
    window: dict[str, Any] = {
        "from": f"{rng.choice(WEEK)} {_time(rng)}",
        "to": f"{rng.choice(WEEK)} {_time(rng)}",
    }
    if rng.random() < 0.4:
        window["every"] = rng.choice((2, 2, 2, 3, 4, 6, 53))
        weeks = rng.choice((0, 0, 1, 2, 400)) * rng.choice((-1, 1))
        window["starting"] = f"{_near_date(rng, centre) + timedelta(days=7 * weeks)}"
    return window


def _monthly(rng: random.Random, centre: int) -> dict[str, Any]:
    window: dict[str, Any] = {}
    while window.get("from") == window.get("to"):
        first = _near_date(rng, centre)
        last = first + timedelta(days=rng.choice((0, 1, 2, 5, 20, 40)))
        window = {"from": _month_day(rng, first), "to": _month_day(rng, last)}
    if rng.random() < 0.3:
        here = MONTHS[_near_date(rng, centre).month - 1]
        window["months"] = rng.choice(([here], [here, "mar", "jun", "sep", "dec"], ["feb-apr", "oct"]))
        if "feb" in window["months"] and str(window["from"])[:2] in ("30", "31"):
            window["months"] = [*window["months"], "jan"]
    if "workday" in f"{window['from']} {window['to']}" and rng.random() < 0.6:
        window["workdays"] = rng.choice(
            (
                {"country": rng.choice(COUNTRIES)},
                {"country": "DE", "subdivision": "BY", "remove": ["12-26"], "weekend": ["sun"]},
                {"market": "XNYS", "add": [{"date": f"{_near_date(rng, centre)}", "title": "Ours"}]},
                {"weekend": ["fri", "sat"], "add": [{"date": "12-31", "title": "Ours"}]},
                {
                    "country": rng.choice(COUNTRIES),
                    "add": [{"date": f"{_near_date(rng, centre):%m-%d}", "title": "Ours"}],
                    "remove": [f"{_near_date(rng, centre) + timedelta(days=5)}"],
                },
            )
        )
    return window


def _month_day(rng: random.Random, near: date) -> str | int:
    """A day of the month that means a day or one near it, in one of the ways to write it."""
    length = ((near + timedelta(days=31 - near.day + 1)).replace(day=1) - timedelta(days=1)).day
    weeks, of_week = divmod(near.day - 1, 7)
    written = rng.choice(
        (
            f"{near.day}",
            "last",
            f"{NTH[weeks]} {WEEK[near.weekday()]}",
            f"last {WEEK[near.weekday()]}",
            f"{NTH[max(0, 5 * weeks + of_week - rng.randrange(3))]} workday",
            "first workday",
            "last workday",
        )
    )
    if written == "last" or rng.random() < 0.4:
        steps = (
            near.day - length if written.startswith("last") and rng.random() < 0.5 else rng.randrange(-4, 5)
        )
        written += f" {steps:+}" if steps else ""
    if rng.random() < 0.6:
        return f"{written} {_time(rng)}"
    return int(written) if written.isdecimal() else written


def _daily(rng: random.Random, _: int) -> dict[str, Any]:
    start = end = _time(rng)
    while end == start:
        end = rng.choice((_time(rng), "24:00"))
    window: dict[str, Any] = {"from": start, "to": end}
    if rng.random() < 0.5:
        window["days"] = [rng.choice(("mon-thu", "fri-mon", "sat", "sun", "wed"))]
    return window


def _near_date(rng: random.Random, centre: int) -> date:
    return shown(centre, zone("UTC")).date() + timedelta(days=rng.randrange(-2, 3))


def _dates(rng: random.Random, centre: int) -> dict[str, Any]:
    first = _near_date(rng, centre)
    last = first + timedelta(days=rng.randrange(1, 4))
    start = rng.choice((f"{first}", f"{first} {_time(rng)}"))
    return {"from": start, "to": rng.choice((f"{last}", f"{last} {_time(rng)}"))}


def _yearly(rng: random.Random, centre: int) -> dict[str, Any]:
    first = rng.choice((_near_date(rng, centre), date(2024, 2, 29), date(2023, 12, 20)))
    last = rng.choice((first + timedelta(days=rng.randrange(1, 20)), date(2024, 2, 29)))
    start, end = f"{first:%m-%d}", f"{last:%m-%d}"
    if start == end:
        return {"from": start, "to": end}
    return {
        "from": rng.choice((start, f"{start} {_time(rng)}")),
        "to": rng.choice((end, f"{end} {_time(rng)}")),
    }


def _holidays(rng: random.Random, centre: int) -> dict[str, Any]:
    window: dict[str, Any] = {"country": rng.choice(COUNTRIES)}
    if rng.random() < 0.3:
        window = dict(rng.choice(PARTS))
    elif window["country"] in NAMES and rng.random() < 0.6:
        names = NAMES[window["country"]]
        if rng.random() < 0.7:
            window["names"] = rng.sample(names, rng.randint(1, 3))
        if rng.random() < 0.5:
            window["except_names"] = rng.sample(names, rng.randint(1, 2))
    if rng.random() < 0.4:
        window |= _own_days(rng, centre)
    if rng.random() < 0.2:
        window["weekend"] = rng.choice((["fri", "sat"], ["sun"], ["thu-sat"], [], ["wed", "sat-sun"]))
    if rng.random() < 0.5:
        window["eve_from"] = _time(rng)
        if rng.random() < 0.3:
            window["eve_days"] = rng.choice((1, 2, 2, 3, 5))
    if rng.random() < 0.5:
        window["until"] = _time(rng)
    if rng.random() < 0.3:
        window["bridge_days"] = True
    return window


def _own_days(rng: random.Random, centre: int) -> dict[str, Any]:
    """Days to add and to remove near an instant, no day in the same form in both."""

    def day() -> str:
        written = f"{_near_date(rng, centre) + timedelta(days=rng.randrange(-8, 9))}"
        written = rng.choice((written, written, "0000-02-29", "0000-12-25", "0000-01-01"))
        return written.removeprefix("0000-") if rng.random() < 0.6 else written[-5:]

    added = {day() for _ in range(rng.randrange(4))}
    removed = sorted({day() for _ in range(rng.randrange(4))} - added)
    titles = ("Company day", "Offsite")
    return {
        **({"add": [{"date": each, "title": rng.choice(titles)} for each in sorted(added)]} if added else {}),
        **({"remove": removed} if removed else {}),
    }


def _cron(rng: random.Random, _: int) -> dict[str, Any]:
    def expression() -> str:
        minute = rng.choice(("0", "30", "15,45", "59", "*/20"))
        hour = rng.choice(("0", "1", "2", "3", "*", "*/6", "1-3", "14"))
        day = rng.choice(("*", "*", "*", "1,15", "*/10"))
        return f"{minute} {hour} {day} * {rng.choice(('*', '5', '1-5', '0'))}"

    if rng.random() < 0.6:
        return {"start": expression(), "duration": rng.choice(("30m", "1h", "90m", "1d", "62h", "1w"))}
    return {"start": expression(), "end": expression()}


def _always(_: random.Random, __: int) -> bool:
    return True
