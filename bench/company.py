"""A company of 300 services in 12 environments under 21 policies, as plain data: what its screens show.

Three environments of each of four regions. Some policies are meant for everybody, some for a tier or a team,
some are read in the zone of each service, and some services have their own schedules.
"""

from typing import Any

REGIONS = ("eu", "us", "ap", "sa")
STAGES = ("production", "staging", "test")
ENVIRONMENTS = [stage if region == "eu" else f"{stage}-{region}" for stage in STAGES for region in REGIONS]
TEAMS = ("payments", "search", "identity", "shipping", "catalogue", "mobile", "data", "platform", "support")
KINDS = ("api", "worker", "gateway", "site", "jobs", "cache", "index", "events")
ZONES = ("Europe/Amsterdam", "America/New_York", "Asia/Tokyo", "America/Sao_Paulo")
SERVICES = 300


def company() -> dict[str, Any]:
    """The policy set of the company."""
    return {
        "version": 1,
        "timezone": "Europe/Amsterdam",
        "environments": ENVIRONMENTS,
        "changes": ["normal", "hotfix", "rollback"],
        "services": dict(map(_service, range(SERVICES))),
        "policies": [*_for_everybody(), *_for_some(), *_for_teams()],
    }


def _service(number: int) -> tuple[str, dict[str, Any]]:
    team = TEAMS[number % len(TEAMS)]
    name = f"{team}-{KINDS[number // len(TEAMS) % len(KINDS)]}-{number}"
    tags = [f"team-{team}", f"tier-{1 + number % 3}"]
    zone = ZONES[number // 2 % len(ZONES)]
    return name, {"tags": tags, "timezone": zone}


def _policy(name: str, window: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "title": f"No deploys: {name.replace('-', ' ')}",
        "reason": "Nobody is around to mend what breaks, and customers notice at once.",
        "contact": "#release-managers",
        "when": [window],
        **more,
    }


def _for_everybody() -> list[dict[str, Any]]:
    live = {"environments": [name for name in ENVIRONMENTS if name.startswith("production")]}
    weekend = {"weekly": {"from": "fri 14:00", "to": "mon 08:00"}}
    holidays = {"holidays": {"country": "NL", "eve_from": "14:00", "until": "08:00"}}
    return [
        _policy("weekend", weekend, applies_to=live, exempt={"changes": ["rollback"]}),
        _policy("public-holidays", holidays, applies_to=live),
        _policy("year-end", {"yearly": {"from": "12-20 18:00", "to": "01-03"}}, override="never"),
        _policy(
            "late-evening",
            {"daily": {"days": ["mon-thu"], "from": "20:00", "to": "07:00"}},
            effect="warn",
        ),
        _policy(
            "quarter-end", {"monthly": {"from": "last workday 12:00", "to": "first workday"}}, applies_to=live
        ),
    ]


def _for_some() -> list[dict[str, Any]]:
    hours = {"daily": {"days": ["mon-fri"], "from": "07:00", "to": "20:00"}}
    lunch = {"daily": {"days": ["mon-fri"], "from": "12:00", "to": "15:30"}}
    return [
        _policy(
            "service-hours",
            hours,
            effect="allow-only",
            timezone="service",
            applies_to={"tags": ["tier-1"], "environments": ENVIRONMENTS[:4]},
        ),
        _policy(
            "tier-2-lunch",
            lunch,
            timezone="service",
            applies_to={"tags": ["tier-2"], "environments": ENVIRONMENTS[:2]},
        ),
        _policy(
            "gateways",
            lunch,
            applies_to={"services": ["*-gateway-*"], "environments": ENVIRONMENTS[:6]},
            exempt={"tags": ["tier-3"]},
        ),
        _policy(
            "indexes",
            {"cron": {"start": "0 11 * * FRI", "duration": "6h"}},
            applies_to={"services": ["search-index-*", "catalogue-index-*"]},
        ),
        _policy(
            "mobile-release",
            {"weekly": {"from": "tue 12:00", "to": "fri 18:00", "every": 2, "starting": "2026-11-24"}},
            applies_to={"services": ["mobile-*"], "environments": ENVIRONMENTS[:8]},
        ),
        _policy(
            "sites",
            {"dates": {"from": "2026-11-20", "to": "2026-12-02"}},
            applies_to={"services": ["*-site-*"], "environments": ENVIRONMENTS[:6]},
        ),
        _policy(
            "big-jobs",
            {"daily": {"from": "10:00", "to": "16:00"}},
            effect="warn",
            applies_to={"services": ["data-jobs-*"]},
        ),
    ]


def _for_teams() -> list[dict[str, Any]]:
    windows: list[dict[str, Any]] = [
        {"weekly": {"from": "thu 16:00", "to": "fri 18:00"}},
        {"daily": {"days": ["fri"], "from": "09:00", "to": "17:30"}},
        {"yearly": {"from": "11-23", "to": "11-30"}},
    ]
    return [
        _policy(
            f"{team}-week",
            windows[number % len(windows)],
            applies_to={"tags": [f"team-{team}"], "environments": ENVIRONMENTS[number % 4 : 8 : 4]},
        )
        for number, team in enumerate(TEAMS)
    ]
