"""Kargo's rules for promotion windows, read once more with another library for recurrences, dateutil.

The files of the comparison are here, too: some written by hand, the others from a seed.
"""

import random
from bisect import bisect_right
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

import yaml
from dateutil.rrule import rrulestr

from app.policies.importers.imported import ImportOptions
from tests.policies.importers.differential import (
    AFTER,
    BEFORE,
    NOW,
    Case,
    Intervals,
    flat,
    outside,
    regimes,
    union,
    wall_seconds,
)

MUTATIONS = (
    "allow beats deny",
    "all allow windows must be open",
    "no allow window open means open",
    "the windows of the cluster are ignored",
    "the project selector is ignored",
    "the stage selector is ignored",
    "the duration is on the wall clock",
    "the zone is ignored",
    "BYDAY is ignored",
    "the n-th weekday is every one",
    "INTERVAL is ignored",
    "COUNT is ignored",
    "UNTIL is ignored",
    "BYMONTH is ignored",
    "the end is that of the first only",
)


def reading(case: Case, question: tuple[str, str], mutation: str | None) -> Intervals:
    """Return when a stage of a project (service) is closed; a stage is named like its environment."""
    deny: Intervals = []
    allow: list[Intervals] = []
    for config in yaml.safe_load_all(case.text):
        if config["kind"] == "ClusterConfig" and mutation == "the windows of the cluster are ignored":
            continue
        for window in config["spec"]["promotionWindows"]:
            if _matches(config, window, *question, mutation):
                (deny.extend if window["kind"] == "Deny" else allow.append)(_open(window, mutation))
    closed = [outside(flat(allow))] if allow else []
    if mutation == "all allow windows must be open":
        closed = [outside(each) for each in allow]
    if mutation == "no allow window open means open":
        closed = []
    if mutation == "allow beats deny" and allow:
        return outside([*outside(deny), *flat(allow)])
    return union([*deny, *flat(closed)])


def _matches(config: Any, window: Any, service: str, environment: str, mutation: str | None) -> bool:
    project = window.get("projectSelector", {"name": "glob:*"})["name"]
    if config["kind"] == "ProjectConfig":
        project = config["metadata"]["name"]
    elif mutation == "the project selector is ignored":
        project = "glob:*"
    stage = window.get("stageSelector", {"name": "glob:*"})["name"]
    if mutation == "the stage selector is ignored":
        stage = "glob:*"
    pairs = ((project, service), (stage, environment))
    return all(fnmatchcase(name, pattern.removeprefix("glob:")) for pattern, name in pairs)


def _open(window: Any, mutation: str | None) -> Intervals:
    start, zone = _moment(window["dtstart"], mutation)
    end, end_zone = _moment(window["dtend"], mutation)
    elapsed = _instant(end, end_zone) - _instant(start, zone)
    if "rrule" not in window:
        return [(_instant(start, zone), _instant(start, zone) + elapsed)]
    found = []
    for each in _occurrences(_mutated(window["rrule"], mutation), start):
        begins = _instant(each, zone)
        ends = begins + elapsed
        if mutation == "the duration is on the wall clock":
            ends = _instant(each + (end - start), zone)
        found.append((begins, ends))
    return union(found[:1] if mutation == "the end is that of the first only" else found)


def _mutated(rule: str, mutation: str | None) -> str:
    parts = dict(part.split("=") for part in rule.split(";"))
    key = (mutation or "").partition(" is ignored")[0]
    parts.pop(key, None)
    if mutation == "the n-th weekday is every one" and "BYDAY" in parts:
        parts["BYDAY"] = ",".join(day[-2:] for day in parts["BYDAY"].split(","))
    return ";".join(f"{key}={value}" for key, value in parts.items())


def _occurrences(rule: str, start: datetime) -> list[datetime]:
    last = datetime.fromtimestamp(AFTER - 86_400, UTC).replace(tzinfo=None)
    found = []
    for each in rrulestr(rule, dtstart=start, ignoretz=True):
        if each > last:
            break
        if wall_seconds(each) > BEFORE + 86_400:
            found.append(each)
    return found


def _moment(text: str, mutation: str | None) -> tuple[datetime, str]:
    zone, _, written = text.removeprefix("TZID=").rpartition(":")
    local = datetime.strptime(written.removesuffix("Z"), "%Y%m%dT%H%M%S")  # noqa: DTZ007 - a wall clock
    return local, "UTC" if mutation == "the zone is ignored" or not zone else zone


def _instant(local: datetime, zone: str) -> int:
    """Return the first instant that shows a local time; an hour that is skipped shifts it."""
    seconds = wall_seconds(local)
    table = regimes(zone)
    shown = [seconds - offset for start, end, offset in table if start <= seconds - offset < end]
    if shown:
        return shown[0]
    starts = [start for start, _, _ in table]
    return starts[bisect_right([start + offset for start, _, offset in table], seconds)]


def config(*windows: dict[str, Any], kind: str = "ProjectConfig", name: str = "shop") -> str:
    data = {"kind": kind, "metadata": {"name": name}, "spec": {"promotionWindows": list(windows)}}
    return "---\n" + yaml.safe_dump(data, sort_keys=False)


def window(
    kind: str, start: str, end: str, rule: str | None = None, zone: str = "", **keys: Any
) -> dict[str, Any]:
    prefix = f"TZID={zone}:" if zone else ""
    entry = {
        "name": f"{kind.lower()}-window",
        "kind": kind,
        "dtstart": prefix + start,
        "dtend": prefix + end,
        **keys,
    }
    return {**entry, "rrule": rule} if rule else entry


AMS, NYC, SANTIAGO = "Europe/Amsterdam", "America/New_York", "America/Santiago"
PRODUCTION: dict[str, Any] = {"stageSelector": {"name": "production"}}
STAGING: dict[str, Any] = {"stageSelector": {"name": "staging"}}
OPTIONS = ImportOptions(NOW, ("production", "staging"))
ALL = (("shop", "production"), ("shop", "staging"), ("bank", "production"))

WRITTEN = [
    Case(
        config(window("Deny", "20260102T180000", "20260105T080000", "FREQ=WEEKLY;BYDAY=FR", AMS)),
        ALL,
        OPTIONS,
    ),
    Case(config(window("Deny", "20261220T000000", "20270103T120000", None, NYC)), ALL, OPTIONS),
    Case(
        config(
            window(
                "Allow",
                "20260101T090000Z",
                "20260101T170000Z",
                "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
                **PRODUCTION,
            ),
            window("Allow", "20260101T200000Z", "20260101T210000Z", "FREQ=DAILY"),
        )
        + config(
            window("Deny", "20260101T120000Z", "20260101T203000Z", "FREQ=MONTHLY"), kind="ClusterConfig"
        ),
        ALL,
        OPTIONS,
    ),
    Case(
        config(window("Deny", "20260109T220000", "20260110T060000", "FREQ=MONTHLY;BYDAY=2FR", NYC)),
        ALL,
        OPTIONS,
    ),
    Case(
        config(window("Deny", "20260131T120000", "20260201T120000", "FREQ=MONTHLY;BYMONTHDAY=-1", AMS)),
        ALL,
        OPTIONS,
    ),
    Case(
        config(window("Deny", "20260130T000000", "20260131T000000", "FREQ=MONTHLY;BYDAY=-1FR", AMS)),
        ALL,
        OPTIONS,
    ),
    Case(
        config(window("Deny", "20260105T080000Z", "20260106T080000Z", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH")),
        ALL,
        OPTIONS,
    ),
    Case(
        config(window("Deny", "20261201T080000", "20261201T180000", "FREQ=DAILY;COUNT=45", AMS)), ALL, OPTIONS
    ),
    Case(
        config(
            window("Deny", "20260101T080000", "20260101T180000", "FREQ=DAILY;UNTIL=20271231T235959Z", NYC)
        ),
        ALL,
        OPTIONS,
    ),
    Case(config(window("Deny", "20261224T000000", "20270102T000000", "FREQ=YEARLY", SANTIAGO)), ALL, OPTIONS),
    Case(
        config(window("Deny", "20260301T030000", "20260301T050000", "FREQ=DAILY;BYMONTH=3,10,11", AMS)),
        ALL,
        OPTIONS,
    ),
    Case(
        config(
            window(
                "Deny",
                "20260101T000000",
                "20260102T000000",
                "FREQ=MONTHLY",
                AMS,
                projectSelector={"name": "glob:sh*"},
            ),
            window("Deny", "20260102T000000", "20260103T000000", "FREQ=MONTHLY", AMS, **STAGING),
            kind="ClusterConfig",
        ),
        ALL,
        OPTIONS,
    ),
]


def generated(number: int) -> Case:
    """Return files from a seed."""
    generator = random.Random(number)
    zone = generator.choice([AMS, NYC, SANTIAGO, "Asia/Tokyo", "Australia/Lord_Howe"])
    projects, cluster = [], []
    for _ in range(generator.randint(1, 4)):
        kind = generator.choice(["Deny", "Deny", "Allow"])
        place = generator.choice([{}, PRODUCTION, STAGING])
        hour = generator.choice([1, 4, 9, 18, 23])
        rule, day = generator.choice(RULES)
        ends = generator.choice(["T050000", "T235900", "T120000"])
        later = generator.randint(1, 3)
        start, end = (
            f"202601{day:02}T{hour:02}{generator.choice(['00', '30'])}00",
            f"202601{day + later:02}{ends}",
        )
        entry = window(kind, start, end, rule, zone, **place)
        if generator.random() < 0.3:
            cluster.append({**entry, "projectSelector": {"name": generator.choice(["shop", "glob:*"])}})
        else:
            projects.append(entry)
    return Case(config(*projects) + config(*cluster, kind="ClusterConfig"), ALL, OPTIONS)


RULES = [
    ("FREQ=DAILY;BYDAY=MO,WE", 5),
    ("FREQ=WEEKLY;BYDAY=FR", 9),
    ("FREQ=WEEKLY", 13),
    ("FREQ=MONTHLY;BYMONTHDAY=15,28", 15),
    ("FREQ=MONTHLY;BYDAY=1MO,3WE", 5),
    ("FREQ=MONTHLY;BYDAY=TU", 6),
    ("FREQ=YEARLY;BYMONTH=1,6;BYMONTHDAY=10", 10),
    ("FREQ=YEARLY;BYMONTH=1,3,10;BYDAY=2TU", 13),
]

CASES = [*WRITTEN, *(generated(number) for number in range(14))]
