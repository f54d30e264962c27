"""A policy set of a large organisation, made from a seed: mixed kinds, zones, effects and scopes.

As in real ones, few policies are meant for everybody and most for a team or a few services. The
catalogue grows with the number of policies; each service belongs to one team and one tier.
"""

import random
from collections.abc import Callable
from typing import Any

ZONES = (
    "Europe/Amsterdam",
    "America/New_York",
    "Asia/Tokyo",
    "Europe/London",
    "America/Sao_Paulo",
    "Australia/Sydney",
    "Asia/Kolkata",
    "America/Los_Angeles",
    "Africa/Casablanca",
    "UTC",
)
COUNTRIES = ("NL", "US", "DE", "JP", "GB", "BR", "IN", "AU")
DAYS = ("mon", "tue", "wed", "thu", "fri")
NEW_KINDS = 3
"""Of this many policies, one has windows of a new kind, if they are asked for."""


def policy_set(size: int, seed: int = 1, *, new_kinds: bool = False) -> dict[str, Any]:
    """A policy set of `size` policies, as plain data; with `new_kinds`, a third of them are replaced.

    Those have `monthly` windows, `weekly` ones of every few weeks, and holidays with days of their own,
    about as long as the windows that they replace. All else is the same.
    """
    rng = random.Random(seed)
    teams = max(2, size // 10)
    services = {
        f"service-{number}": {"tags": [f"team-{number % teams}", f"tier-{number % 3}"]}
        for number in range(max(10, size // 4))
    }
    policies = [_policy(rng, number, teams, len(services)) for number in range(size)]
    for policy in policies[::NEW_KINDS] if new_kinds else ():
        policy["when"] = [_new_window(rng) for _ in policy["when"]]
    return {
        "version": 1,
        "timezone": "Europe/Amsterdam",
        "environments": ["production", "staging"],
        "services": services,
        "policies": policies,
    }


def _policy(rng: random.Random, number: int, teams: int, services: int) -> dict[str, Any]:
    policy = {
        "id": f"policy-{number}",
        "title": f"Policy {number}",
        "reason": "Nothing good happens after 14:00 on a Friday.",
        "timezone": rng.choice(ZONES),
        "effect": rng.choices(("deny", "warn", "allow-only"), (80, 15, 5))[0],
        "applies_to": _scope(rng, number, teams, services),
        "when": [_window(rng) for _ in range(rng.choice((1, 1, 2)))],
    }
    if policy["effect"] == "allow-only":
        policy["when"] = [{"daily": {"days": ["mon-fri"], "from": "07:00", "to": "20:00"}}]
    if rng.random() < 0.2:
        policy["exempt"] = [{"changes": ["rollback"]}]
    return policy


def _scope(rng: random.Random, number: int, teams: int, services: int) -> dict[str, Any]:
    if number % 1000 == 0:
        return {"environments": ["production"]}
    if rng.random() < 0.6:
        return {"tags": [f"team-{rng.randrange(teams)}"]}
    chosen = sorted({f"service-{rng.randrange(services)}" for _ in range(3)})
    return {"environments": ["production"], "services": chosen}


def _window(rng: random.Random) -> dict[str, Any]:
    kind = rng.choices(("weekly", "daily", "yearly", "dates", "holidays", "cron"), (30, 15, 15, 15, 15, 10))[
        0
    ]
    month, day = rng.randrange(1, 13), rng.randrange(1, 28)
    windows: dict[str, Callable[[], dict[str, Any]]] = {
        "weekly": lambda: {
            "weekly": {"from": f"fri {rng.randrange(12, 24)}:00", "to": f"mon {_morning(rng)}"}
        },
        "daily": lambda: {
            "daily": {"days": [rng.choice(DAYS)], "from": "12:00", "to": f"{rng.randrange(13, 24)}:30"}
        },
        "yearly": lambda: {
            "yearly": {"from": f"{month:02}-{day:02} 18:00", "to": f"{month:02}-{day + 1:02}"}
        },
        "dates": lambda: {
            "dates": {"from": f"2026-{month:02}-{day:02}", "to": f"2026-{month:02}-{day + 1:02}"}
        },
        "holidays": lambda: {
            "holidays": {"country": rng.choice(COUNTRIES), "eve_from": "14:00", "until": "08:00"}
        },
        "cron": lambda: {
            "cron": {"start": f"0 {rng.randrange(24)} * * {rng.choice(DAYS).upper()}", "duration": "3h"}
        },
    }
    return windows[kind]()


def _new_window(rng: random.Random) -> dict[str, Any]:
    kind = rng.choices(("monthly", "weekly", "holidays"), (50, 30, 20))[0]
    windows: dict[str, Callable[[], dict[str, Any]]] = {
        "monthly": lambda: _monthly(rng),
        "weekly": lambda: {
            "from": f"fri {rng.randrange(12, 24)}:00",
            "to": f"mon {_morning(rng)}",
            "every": rng.choice((2, 2, 2, 3, 4)),
            "starting": f"2027-01-{rng.randrange(1, 29):02}",
        },
        "holidays": lambda: {
            "country": rng.choice(COUNTRIES),
            "add": [{"date": f"{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}", "title": "Company day"}],
            "remove": ["2027-03-26"],
            "eve_from": "14:00",
            "eve_days": rng.choice((1, 2)),
            "until": "08:00",
        },
    }
    return {kind: windows[kind]()}


def _monthly(rng: random.Random) -> dict[str, Any]:
    nth, day, number = rng.choice(("first", "2nd", "3rd", "last")), rng.choice(DAYS), rng.randrange(1, 29)
    start, end = rng.choice(
        (
            ("last workday", "first workday"),
            (f"last workday -{rng.randrange(1, 4)}", "last workday"),
            (f"{nth} {day}", f"{nth} {day} +{rng.randrange(1, 3)}"),
            (f"{number}", f"{number} +1"),
            ("last", "first workday"),
        )
    )
    hour = rng.randrange(12, 24)
    window: dict[str, Any] = {"from": f"{start} {hour}:00", "to": f"{end} {_morning(rng)}"}
    if rng.random() < 0.3:
        window["months"] = ["mar", "jun", "sep", "dec"]
    if "workday" in start and rng.random() < 0.7:
        window["workdays"] = {"country": rng.choice(COUNTRIES)}
    return window


def _morning(rng: random.Random) -> str:
    return f"{rng.randrange(5, 10):02}:00"
