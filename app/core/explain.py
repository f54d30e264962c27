"""Render a decision as sentences, shared by the API, the CLI and the dashboard.

Plain text: short, with local times of the zone that the policy is read in.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from app.core.continuation import Continuation, ContinuationResult
from app.core.counted import noun_for
from app.core.decision import Decision, DecisionPart, Outcome, Stretch, in_words
from app.core.environment import EnvironmentKind
from app.core.freeze import Freeze
from app.core.notation import format_duration, waiting_time
from app.core.override import Gap, Override, Part, Use, UseResult
from app.core.policy import SERVICE_ZONE, Effect, Policy
from app.core.wallclock import Zone

_DIRECTIONS: Final = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)))
"""The marks that set the direction in which what follows them is read (UAX 9, explicit formatting)."""


_NOT_CONTINUED: Final = {
    ContinuationResult.DENIED: "{id} was denied",
    ContinuationResult.REVOKED: "the override of {id} was revoked",
    ContinuationResult.NO_DURATION: "{id} was claimed without a duration",
    ContinuationResult.OTHER_DEPLOY: "{id} is of another service, environment or kind of change",
    ContinuationResult.OTHER_CALLER: "{id} was claimed with other credentials",
    ContinuationResult.OTHER_REF: "the override of {id} is for another ref",
    ContinuationResult.UNKNOWN: "there is no decision {id}",
}
"""The reasons why a claim does not continue another one, as clauses."""


_USELESS: Final = {
    UseResult.EXPIRED: ("The override token has expired.", "Ask for a new one."),
    UseResult.USED_UP: ("The override token is used up.", "Ask for a new one, with a use for each deploy."),
    UseResult.REVOKED: ("The override token was revoked.", "Ask the person who granted it."),
    UseResult.UNKNOWN: (
        "The override token is unknown to this gate.",
        "Check that all of it was copied, and that this gate granted it.",
    ),
}
"""The fate of tokens that lift nothing, and the advice, by result."""

_NOT_COVERED: Final = "Ask for one that covers all of it."
_INVALID: Final = "The override token is not valid."
"""The sentence of versions before 0.2 on each of them, unless to its granter."""


def message(
    decision: Decision, home: Zone, use: Use | None = None, continuation: Continuation | None = None
) -> str:
    """Return the decision, its reasons, the time it changes, and the results of token and continuation.

    Local times are those of the zone of the first rule that blocks, or will close it.
    """
    spends = use is not None and use.spends
    if use is None:
        sentence = _answer(decision, home)
    elif use.spends and use.override is not None:
        sentence = _lifted(decision, use.override)
    else:
        sentence = f"{_answer(decision, home)} {_unspent(use, decision, home)}"
    if continuation is None:
        return sentence
    return f"{sentence} {_continued(continuation, decision, home, spends=spends)}"


def _answer(decision: Decision, home: Zone) -> str:
    subject, deployed = decision.question.service, may_be_deployed(decision)
    if decision.blocking:
        where = decision.blocking[0].zone
        return f"{subject} {deployed}: {_why(decision)} {_opens(decision, where)}"
    closes = _closes(decision, home)
    if decision.outcome is Outcome.WARN:
        return f"{subject} {deployed}, with a warning: {titles(decision.warnings)}.{closes}"
    return f"{subject} {deployed}.{closes}"


def may_be_deployed(decision: Decision, *, lifted: bool = False) -> str:
    """Return "may be deployed to production", with "not" if it may not; merged into, for a branch."""
    verb = "merged into" if decision.kind is EnvironmentKind.MERGE else "deployed to"
    may = "may" if lifted or decision.allowed else "may not"
    return f"{may} be {verb} {decision.question.environment}"


def state(decision: Decision, home: Zone) -> str:
    """Return whether an environment is open or frozen, why, and when that changes."""
    place = decision.question.environment
    if decision.blocking:
        return f"{place} is frozen: {_why(decision)} {_opens(decision, decision.blocking[0].zone)}"
    closes = _closes(decision, home)
    warning = f", with a warning: {titles(decision.warnings)}" if decision.warnings else ""
    return f"{place} is open{warning}.{closes}"


def titles(stretches: tuple[Stretch, ...]) -> str:
    """Return the titles of the rules, joined."""
    return undirected("; ".join(stretch.rule.title.rstrip(".") for stretch in stretches))


def started(freeze: Freeze, where: Zone, seen_from: int) -> str:
    """Return who started or scheduled a freeze, when, and whom to ask."""
    who = freeze.started_by or "an anonymous caller"
    ask = f"; ask {freeze.contact.rstrip('.')}" if freeze.contact else ""
    if freeze.starts_at > seen_from:
        return f"scheduled by {who}{ask}"
    return f"started by {who} {local_time(freeze.starts_at, where, seen_from)}{ask}"


def _named(stretches: tuple[Stretch, ...], at: int) -> str:
    """Return the titles of the rules, joined; ad-hoc freezes with who started them."""
    return undirected("; ".join(_name(stretch, at) for stretch in stretches))


def _vetoes(decision: Decision) -> str:
    """Return the titles of what vetoes; of several services, with those that it vetoes unless it is all."""
    parts = decision.parts
    if not parts:
        return _named(decision.blocking, decision.at)
    vetoed: dict[int, list[str]] = {}
    for part in parts:
        for rule in {id(each.rule) for each in part.blocking}:
            vetoed.setdefault(rule, []).append(part.question.service)
    names = (_name(each, decision.at) + _of(vetoed[id(each.rule)], parts) for each in decision.blocking)
    return undirected("; ".join(names))


def _of(vetoed: Sequence[str], parts: tuple[DecisionPart, ...]) -> str:
    """Return the services that a rule vetoes, as words that follow its title; empty if it vetoes all."""
    return f" for {in_words(vetoed)}" if len(vetoed) < len(parts) else ""


def _name(stretch: Stretch, at: int) -> str:
    title = stretch.rule.title.rstrip(".")
    if isinstance(stretch.rule, Freeze):
        return f"{title} ({started(stretch.rule, stretch.zone, at)})"
    return title


def undirected(text: str) -> str:
    """Return user text without the marks that would reverse the words after it.

    Letters keep their own direction. Isolating the text instead would not help: it may contain the very mark
    that ends the isolation.
    """
    return text if text.isascii() else text.translate(_DIRECTIONS)


@lru_cache(maxsize=1_024)
def local_time(instant: int, where: Zone, seen_from: int) -> str:
    """Return ``Mon 30 Nov 08:00 CET``, with the year if it differs from that of `seen_from`."""
    moment = datetime.fromtimestamp(instant, where.info)
    year = f" {moment.year}" if moment.year != datetime.fromtimestamp(seen_from, where.info).year else ""
    time = moment.strftime("%H:%M:%S" if moment.second else "%H:%M")
    return f"{moment:%a} {moment.day} {moment:%b}{year} {time} {zone_label(instant, where)}"


def zone_label(instant: int, where: Zone) -> str:
    """Return the zone's abbreviation at an instant; its offset where it has none (``UTC+05:45``)."""
    moment = datetime.fromtimestamp(instant, where.info)
    label = moment.tzname() or ""
    return label if label.isalpha() else f"UTC{moment.isoformat()[19:]}"


def policy_in_words(policy: Policy, home: Zone) -> str:
    """Describe a policy: "Deploys are refused every week from Friday 14:00 to Monday 08:00, …"."""
    lead = {
        Effect.DENY: "Deploys are refused ",
        Effect.ALLOW_ONLY: "Deploys are allowed only ",
        Effect.WARN: "Deploys are allowed with a warning ",
    }[policy.effect]
    windows = ", and ".join(entry.window.words() for entry in policy.when)
    exceptions = ", nor ".join(entry.window.words() for entry in policy.except_when)
    zone = "the service's own" if policy.timezone == SERVICE_ZONE else policy.timezone or home.name
    return undirected(f"{lead}{windows}{f', but not {exceptions}' if exceptions else ''}, {zone} time.")


def scope_in_words(selectors: Sequence[Mapping[str, Any]] | None, most: int | None = None) -> str:
    """Describe selectors in their JSON form: "services tagged tier-1 in production; docs-site".

    Args:
        selectors: the selectors; none for everything.
        most: the most names of a kind; more are counted.
    """
    return "; ".join(_selected(each, most) for each in selectors) if selectors else "everything"


def _selected(selector: Mapping[str, Any], most: int | None) -> str:
    what = _any_of(selector.get("services"), most)
    if tags := selector.get("tags"):
        what = f"{what or 'services'} tagged {_any_of(tags, most)}"
    if changes := selector.get("changes"):
        what = f"{_any_of(changes, most)} changes{f' of {what}' if what else ''}"
    places = selector.get("environments")
    return f"{what or 'everything'}{f' in {_any_of(places, most)}' if places else ''}"


def _any_of(names: Sequence[str] | None, most: int | None) -> str:
    if names and most is not None and len(names) > most:
        return f"{', '.join(names[: most - 1])} or {len(names) - most + 1} more"
    *rest, last = names or ("",)
    return f"{', '.join(rest)} or {last}" if rest else last


def _lifted(decision: Decision, override: Override) -> str:
    question = decision.question
    left = override.uses_left - 1
    by = undirected(f"{override.granted_by} ({override.reason.rstrip('.')})")
    return (
        f"{question.service} {may_be_deployed(decision, lifted=True)} by an override of {by}, "
        f"in spite of: {_vetoes(decision)}. "
        f"{left or 'No'} {noun_for(left, 'use')} left."
    )


def _continued(continuation: Continuation, decision: Decision, home: Zone, *, spends: bool) -> str:
    """Return whether a claim continues a running deploy, until when, and what that lifts."""
    if continuation.until is None:
        why = _NOT_CONTINUED[continuation.result].format(id=continuation.id)
        return f"It continues no running deploy: {why}."
    named = (*decision.blocking, *continuation.lifted)
    end = local_time(continuation.until, named[0].zone if named else home, decision.at)
    if not continuation.counts:
        return f"It does not continue {continuation.id}, which is over since {end}."
    if not spends and any(stretch.rule.running == "stop" for stretch in decision.blocking):
        return f"It continues {continuation.id}, but running deploys are stopped, too."
    lifted = f", in spite of: {titles(continuation.lifted)}" if continuation.lifted else ""
    return f"It continues {continuation.id}, which may finish until {end}{lifted}."


def _unspent(use: Use, decision: Decision, home: Zone) -> str:
    if use.result is UseResult.DOES_NOT_COVER:
        gaps = undirected("; ".join(map(_gap_in_words, use.uncovered)))
        said = f"The override token does not cover this deploy: {gaps}. No use is spent."
        return said + _advice(decision, _NOT_COVERED)
    if use.result is UseResult.PENDING:
        return _pending(use.override, decision, home)
    if use.result is UseResult.NOT_NEEDED:
        return "The override token was not needed. No use is spent."
    said, advice = _USELESS[use.undisclosed or use.result]
    return said + _advice(decision, advice)


def _advice(decision: Decision, advice: str) -> str:
    """Return what to do about a token; nothing where none is needed, or where none can help."""
    is_hopeless = any(each.rule.overridable == "never" for each in decision.blocking)
    return "" if decision.allowed or is_hopeless else f" {advice}"


def before_advice(text: str) -> str:
    """Return a message as versions before 0.2 wrote it, which said less of a token that lifts nothing."""
    for said, advice in _USELESS.values():
        text = text.replace(f"{said} {advice}", said)
    return text.replace(f" {_NOT_COVERED}", "")


def before_disclosure(text: str) -> str:
    """Return a message as versions before 0.2 wrote it for callers who had not granted the token."""
    text = before_advice(text)
    for said, _ in _USELESS.values():
        text = text.replace(said, _INVALID)
    return text


def _pending(override: Override | None, decision: Decision, home: Zone) -> str:
    if override is None or override.starts_at is None or len(override.approvals) < override.approvals_needed:
        return "The override token still waits for approval."
    return f"The override token is not active before {local_time(override.starts_at, home, decision.at)}."


def _gap_in_words(gap: Gap) -> str:
    """Describe the part of a token that does not fit, what it should have covered, and why it doesn't."""
    if gap.part is Part.REF and not gap.id:
        return f"not a deploy that names no ref, {gap.why}"
    if gap.part in (Part.SERVICE, Part.ENVIRONMENT, Part.REF):
        return f"not the {gap.part.value} {gap.id}, {gap.why}"
    # Freezes have no ceilings: all other parts are about policies.
    kind = "freeze" if gap.part is Part.FREEZE else "policy"
    return f"not the {kind} {gap.id} ({(gap.title or '').rstrip('.')}), {gap.why}"


def _why(decision: Decision) -> str:
    reasons = _vetoes(decision)
    if decision.following:
        reasons = f"{reasons}; then {_named(decision.following, decision.at)}"
    held_now = any(stretch.start is None or stretch.start <= decision.at for stretch in decision.blocking)
    if held_now:
        return f"{reasons}."
    length = format_duration(decision.question.duration)
    return f"a deploy of {length} would run into: {reasons}."


def _opens(decision: Decision, where: Zone) -> str:
    if decision.opens_at is None:
        return "It does not open within two years."
    return f"Opens {_moment(decision, decision.opens_at, where)}."


def _closes(decision: Decision, home: Zone) -> str:
    if decision.closes_at is None:
        return ""
    where = decision.closing[0].zone if decision.closing else home
    return f" Closes {_moment(decision, decision.closes_at, where)}: {_named(decision.closing, decision.at)}."


def _moment(decision: Decision, instant: int, where: Zone) -> str:
    waiting = waiting_time(instant - decision.at)
    return f"{local_time(instant, where, decision.at)}, in {waiting}"
