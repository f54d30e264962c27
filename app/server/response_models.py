"""The response models of the OpenAPI document.

Only the document and the reference are generated from them, so they are imported where it is built and
nowhere else. The bodies themselves are written by `app.core.decision_json` and the use cases.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field

from app.core.policy import Selector
from app.server.operations import AnswerFields

Instant = Annotated[
    str, Field(title="instant", json_schema_extra={"format": "date-time"}, examples=["2026-11-27T13:05:00Z"])
]
Outcome = Literal["allow", "warn", "override", "deny"]
State = Literal["allow", "warn", "deny"]


class FieldError(BaseModel):
    """A field of the request that is wrong."""

    field: str = Field(description="the parameter or member; `body` or `query` for the whole of it")
    message: str = Field(description="what is wrong with it; never repeats the value")


class FileProblem(BaseModel):
    """A problem in a policy file, as `freezegate lint --json` shows it."""

    file: str = Field(description="the name of the file")
    line: int = Field(description="the line, from 1")
    column: int = Field(description="the column, from 1")
    path: str = Field(description="the keys that lead to it; empty if it is about the file as a whole")
    message: str = Field(description="what is wrong, and what to write instead")
    severity: Literal["error", "warning"] = Field(description="a set with errors can't be used")


class Problem(BaseModel):
    """RFC 9457 problem details: the body of every error."""

    type: str = Field(description="`about:blank`: the status says what kind of problem it is")
    title: str = Field(description="the status in words")
    status: int = Field(description="the HTTP status")
    detail: str = Field(description="what is wrong, in a sentence")
    errors: list[FieldError] = Field(default_factory=list, description="the fields that are wrong (422)")
    problems: list[FileProblem] = Field(
        default_factory=list, description="the errors in the files of a candidate (422)"
    )


class BlockingEntry(BaseModel):
    """A policy or ad-hoc freeze that vetoes, warns, or will veto."""

    id: str = Field(description="the policy's id in the file, or the freeze's id")
    kind: Literal["policy", "freeze"] = Field(description="a policy of the file, or an ad-hoc freeze")
    title: str = Field(description="the rule in one line")
    reason: str = Field(description="why the rule exists; the title of a freeze that was given no reason")
    from_: Instant | None = Field(
        alias="from", description="when it began or begins; null if more than two years ago"
    )
    until: Instant | None = Field(description="when it ends; null if open-ended or more than two years ahead")
    override: Literal["token", "never"] = Field(description="whether an override token lifts it")
    contact: str | None = Field(description="whom to ask")
    link: str | None = Field(description="where to read more")
    started_by: str = Field(default="", description="who started the freeze; absent from policies")


class UncoveredPart(BaseModel):
    """A part of the request that an override token does not cover."""

    part: Literal[
        "service", "environment", "ref", "policy", "freeze", "ttl", "uses", "ticket", "approvals"
    ] = Field(description="which part does not fit")
    id: str = Field(
        description="the service, the environment, the ref (empty if the claim names none), or the policy or "
        "freeze that is not lifted"
    )
    why: str = Field(description="the reason in words")


class OverrideUse(BaseModel):
    """The use of the override token of a claim."""

    id: str | None = Field(description="the override's id; null if the caller may not know it")
    result: Literal[
        "spent",
        "not-needed",
        "does-not-cover",
        "pending",
        "expired",
        "used-up",
        "revoked",
        "unknown",
        "invalid",
    ] = Field(
        description="`spent`: it let the deploy through; `not-needed`: nothing vetoed; `does-not-cover`: "
        "see `uncovered`; `pending`: an approval is missing, or its start lies ahead; `invalid`: unknown, "
        "expired, used up or revoked, as `message` says; operators and its granter get the result itself"
    )
    uncovered: list[UncoveredPart] = Field(description="the parts that it does not cover; empty if it does")
    uses_left: int | None = Field(description="the deploys that it still lets through")


class ContinuationBody(BaseModel):
    """The continuation of an earlier claim, for a claim that names one."""

    id: str = Field(description="the earlier claim, as named")
    result: Literal[
        "running",
        "over",
        "denied",
        "revoked",
        "no-duration",
        "other-deploy",
        "other-caller",
        "other-ref",
        "unknown",
    ] = Field(
        description="`running`: this claim is a step of that deploy; otherwise it is decided like any other, "
        "for the earlier one is `over`, was `denied`, its override was `revoked`, it named no duration "
        "(`no-duration`), it is of another service, environment or kind of change (`other-deploy`), it was "
        "claimed with other credentials (`other-caller`), its override is for another ref (`other-ref`), or "
        "there is none (`unknown`)"
    )
    first: str | None = Field(
        description="the first step of the deploy, whose duration counts; null unless `running` or `over`"
    )
    until: Instant | None = Field(
        description="when the deploy must be finished; null unless `running` or `over`"
    )
    lifted: list[BlockingEntry] = Field(
        description="the rules that would veto if it were another deploy; empty unless `running`"
    )


class DecisionPart(BaseModel):
    """A service of a claim for several."""

    service: str = Field(description="the service")
    allowed: bool = Field(description="whether nothing vetoes it, or a token lifted that")
    outcome: Outcome = Field(description="as if it were claimed alone; `override` if the token was needed")
    blocking: list[str] = Field(description="the ids of the rules that veto it; the answer has them in full")
    warnings: list[str] = Field(description="the ids of the policies that warn about it")


class DecisionBody(BaseModel):
    """The answer to "may this service be deployed to this environment now?"."""

    allowed: bool = Field(description="whether the deploy may go ahead")
    outcome: Outcome = Field(
        description="`warn`: allowed, with warnings; `override`: allowed by a token; otherwise `allow` or "
        "`deny`"
    )
    service: str = Field(description="the service asked about; the services of a claim for several, in words")
    services: list[str] = Field(
        default_factory=list, description="the services of a claim for several; absent from others"
    )
    environment: str = Field(description="the environment asked about")
    change: str = Field(description="the kind of change asked about")
    duration_s: int = Field(description="how long the deploy takes, in seconds")
    at: Instant = Field(description="the instant that the answer is for")
    message: str = Field(description="the answer in a sentence, with times in the zone of the policies")
    parts: list[DecisionPart] = Field(
        default_factory=list,
        description="each service of a claim for several, in their order; absent from others",
    )
    blocking: list[BlockingEntry] = Field(description="the rules that veto, also where a token lifted them")
    warnings: list[BlockingEntry] = Field(description="the policies that only warn")
    opens_at: Instant | None = Field(
        description="when the deploy may go ahead; null while allowed, or if not within two years"
    )
    closes_at: Instant | None = Field(
        description="when it closes; null while denied, or if not within two years"
    )
    closing: list[BlockingEntry] = Field(
        default_factory=list, description="the rules that veto from `closes_at` on; empty without it"
    )
    override: OverrideUse | None = Field(description="the use of the token; null if none was presented")
    continues: ContinuationBody | None = Field(
        default=None, description="the earlier claim that this one continues; null if it names none"
    )
    policy_revision: str = Field(description="the hash of the policies that decided: `sha256:…`")
    decision_id: str | None = Field(description="the id of the record; null for a question")


class UnansweredQuestion(Problem):
    """A problem in place of an answer: a question of a batch that can't be answered."""

    allowed: Literal[False] = Field(description="what can't be answered is not allowed")


class BatchAnswers(BaseModel):
    """The answers to a batch of questions."""

    allowed: bool = Field(description="whether all questions are answered, and all answers allow")
    at: Instant = Field(description="the instant that all answers are for")
    policy_revision: str = Field(description="the hash of the policies that decided: `sha256:…`")
    answers: list[DecisionBody | UnansweredQuestion] = Field(
        description="an answer or a problem for each question, in their order"
    )


class ServiceState(BaseModel):
    """The state of a service that differs from its environment."""

    service: str = Field(description="the service of the catalogue")
    message: str = Field(description="the state in a sentence")
    allowed: bool = Field(description="whether a deploy may go ahead")
    outcome: State = Field(description="`warn`: allowed, with warnings")
    blocking: list[BlockingEntry] = Field(description="the rules that veto")
    warnings: list[BlockingEntry] = Field(description="the policies that only warn")
    opens_at: Instant | None = Field(description="when it opens; null while open, or if not within two years")
    closes_at: Instant | None = Field(
        description="when it closes; null while closed, or if not within two years"
    )
    closing: list[BlockingEntry] = Field(description="the rules that veto from `closes_at` on")
    also: list[str] = Field(
        description="further services in exactly this state, which have no entry of their own; empty unless "
        "more than 100 services of the answer differ"
    )


class EnvironmentState(BaseModel):
    """The state of an environment, for services that no rule singles out."""

    environment: str = Field(description="the environment")
    message: str = Field(description="the state in a sentence")
    allowed: bool = Field(description="whether a deploy may go ahead")
    outcome: State = Field(description="`warn`: allowed, with warnings")
    blocking: list[BlockingEntry] = Field(description="the rules that veto")
    warnings: list[BlockingEntry] = Field(description="the policies that only warn")
    opens_at: Instant | None = Field(description="when it opens; null while open, or if not within two years")
    closes_at: Instant | None = Field(
        description="when it closes; null while closed, or if not within two years"
    )
    closing: list[BlockingEntry] = Field(description="the rules that veto from `closes_at` on")
    services: list[ServiceState] = Field(
        description="the catalogued services whose state differs, or a page of them"
    )
    services_differ: int = Field(description="the number of all services whose state differs")
    next: str | None = Field(
        description="the `cursor` of the next page of services; null if all of them are listed"
    )


class FreezePeriod(BlockingEntry):
    """A period in which a policy or an ad-hoc freeze vetoes."""

    applies_to: list[Selector] | None = Field(
        description="the requests that it covers; null for every request"
    )
    timezone: str | None = Field(description="the zone that the policy is read in; null for ad-hoc freezes")


class FreezePeriods(BaseModel):
    """Freezes now and in the next four weeks."""

    active: list[FreezePeriod] = Field(description="those that veto at the instant")
    upcoming: list[FreezePeriod] = Field(description="those that begin within four weeks, soonest first")


class StoreState(BaseModel):
    """The state of the store."""

    degraded: bool = Field(description="true while answers come from memory and claims are refused")
    degraded_since: Instant | None = Field(description="since when; null if it can be reached")


class PolicyOwner(BaseModel):
    """The owner of a policy's file, by `owners` of the policy folder."""

    file: str = Field(description="the name of the file in the folder")
    team: str = Field(description="the team; the file's name without `.yaml` if `owners` names none")
    contact: str | None = Field(description="the team's contact")


class LoadFailure(BaseModel):
    """A changed policy file that was refused."""

    at: Instant = Field(description="when it was read")
    revision: str = Field(description="the hash of the refused files")
    problems: list[str] = Field(description="the errors, each with file, line and column")
    owners: list[PolicyOwner] = Field(
        description="the teams of the files with errors, by the `owners` in force"
    )


class Removed(BaseModel):
    """A policy or a test that a change removed, or most of the coming events of a calendar."""

    kind: Literal["policy", "test", "calendar"] = Field(description="what was removed, or has lost events")
    name: str = Field(description="the policy's id, the test's name, or the calendar and what it has lost")
    at: Instant = Field(description="when the change was loaded")


class HeldBack(BaseModel):
    """A fetched calendar that has lost half of its coming events or more, and is not in force yet."""

    seen_at: Instant = Field(description="when it was fetched first")
    lost: int = Field(description="the coming events that are missing in it")
    of: int = Field(description="the coming events of the calendar in force")


class CalendarBody(BaseModel):
    """A calendar that the policies name by its URL."""

    name: str = Field(description="its title, else its host and a short hash of the URL")
    address: str = Field(description="its host and a short hash of the URL")
    loaded: bool = Field(description="false if it has never been loaded")
    fetched_at: Instant | None = Field(description="when the text in force was fetched first")
    checked_at: Instant | None = Field(description="when its server last said that this is current")
    age_s: int | None = Field(description="the seconds since then")
    failure: str | None = Field(description="why the last fetch failed; null if it didn't")
    failing_since: Instant | None = Field(description="since when fetches fail")
    held_back: HeldBack | None = Field(description="a newer text that a second fetch must confirm")


class PolicyFileState(BaseModel):
    """The policies in force."""

    revision: str = Field(description="the hash of the files in force: `sha256:…`")
    loaded_at: Instant = Field(description="when they were loaded")
    age_s: int = Field(description="the seconds since then")
    stale: bool = Field(description="true if the files have changed and were refused")
    last_error: LoadFailure | None = Field(description="why; null if the files in force are the newest")
    warnings: list[str] = Field(description="the warnings of `lint`, each with file, line and column")
    removed: list[Removed] = Field(description="policies and tests that changes of the last day removed")
    tzdata: str = Field(description="the version of the time zone data")
    holidays: str = Field(description="the version of the holiday calendars")


class StatusBody(BaseModel):
    """The freeze state of all environments."""

    at: Instant = Field(description="the instant that the state is for")
    timezone: str = Field(description="the zone of the policies, and of the times in sentences")
    environments: list[EnvironmentState] = Field(description="every environment of the file")
    freezes: FreezePeriods = Field(description="the freezes now and in the next four weeks")
    warnings: list[str] = Field(
        description="a store that can't be reached, forgotten open-ended freezes, removed policies, "
        "calendars that are old, in sentences"
    )
    calendars: list[CalendarBody] = Field(description="the calendars that the policies name by URL")
    store: StoreState = Field(description="whether the store can be reached")
    policies: PolicyFileState = Field(description="the policies in force, and errors of newer ones")


class Segment(BaseModel):
    """A segment of a timeline with one answer."""

    from_: Instant = Field(alias="from", description="its start")
    to: Instant = Field(description="its end, exclusive")
    allowed: bool = Field(description="whether a deploy may go ahead")
    outcome: State = Field(description="`warn`: allowed, with warnings")
    blocking: list[BlockingEntry] = Field(description="the rules that veto")
    warnings: list[BlockingEntry] = Field(description="the policies that only warn")


class ScheduleBody(BaseModel):
    """The timeline of a service."""

    service: str | None = Field(description="the service asked about")
    environment: str = Field(description="the environment asked about")
    change: str = Field(description="the kind of change asked about")
    timezone: str = Field(description="the zone of the policies")
    from_: Instant = Field(alias="from", description="the start of the timeline")
    to: Instant = Field(description="its end, exclusive")
    segments: list[Segment] = Field(description="consecutive segments that fill it")
    policy_revision: str = Field(description="the hash of the policies")


class ProjectionScopeBody(BaseModel):
    """A service or environment whose freezes are projected."""

    environment: str = Field(description="the environment")
    service: str | None = Field(description="the service; null for the environment as a whole")
    names: dict[str, list[str]] = Field(description="what it is called at the target")


class ProjectionStateBody(BaseModel):
    """The state of a place, on the replica that keeps it in step."""

    in_step_at: Instant = Field(description="when it was last in step")
    error: str | None = Field(description="why the last attempt failed")
    drifts: int = Field(description="how often others changed its windows")
    reverted: bool = Field(description="whether something reverts them again and again")
    refused_policies: int = Field(description="the number of policies that the target would not follow")


class ProjectionBody(BaseModel):
    """A place whose windows are kept in step."""

    target: str = Field(description="the word of the target on the command line")
    place: str = Field(description="its name")
    days: int = Field(description="the days ahead that windows with a date cover")
    scopes: list[ProjectionScopeBody] = Field(description="what is projected to it")
    state: ProjectionStateBody | None = Field(
        description="null on a replica that does not keep it in step; ask each replica, or read the metrics"
    )


class ProjectionList(BaseModel):
    """The places whose windows are kept in step."""

    projections: list[ProjectionBody] = Field(description="the places of the integrations file")


class ProjectionRemark(BaseModel):
    """A policy that the target can't follow in full."""

    policy: str = Field(description="its id")
    sentence: str = Field(description="what differs")
    refused: bool = Field(description="whether the target lets deploys through that the policy stops")


class ProjectedWindows(BaseModel):
    """The windows that a place should have."""

    target: str = Field(description="the word of the target on the command line")
    place: str = Field(description="its name")
    owner: str = Field(description="the word by which the windows are recognised")
    until: Instant | None = Field(description="the end of windows with a date; null if all recur")
    windows: list[dict[str, Any]] = Field(description="the windows, as the target writes them")
    remarks: list[ProjectionRemark] = Field(description="what the target can't follow")


class YearPeriod(BaseModel):
    """A freeze of a rule in a year."""

    from_: Instant = Field(alias="from", description="when it begins; the start of the year, if earlier")
    until: Instant = Field(description="when it ends; the end of the year, if later")


class YearRuleBody(BaseModel):
    """A rule that freezes something in a year."""

    id: str | None = Field(description="the policy's id in the file, or the freeze's id; null for `others`")
    kind: Literal["policy", "freeze", "others"] = Field(
        description="a policy of the file, an ad-hoc freeze, or all rules after the first 64 as one"
    )
    title: str = Field(description="the rule in one line")
    colour: str = Field(description="the name of its colour in pictures", examples=["rule-0"])
    hatching: str = Field(description="the name of its hatching in pictures", examples=["hatching-0"])
    frozen_s: int = Field(description="how many seconds of the year it freezes")
    periods: list[YearPeriod] = Field(description="its freezes in the year, in order")


class DayPart(YearPeriod):
    """A part of a day that a rule freezes."""

    id: str | None = Field(description="the rule's id; null for `others`")
    from_: Instant = Field(alias="from", description="when it begins in this day")
    until: Instant = Field(description="when it ends in this day")


class HolidayBody(BaseModel):
    """A holiday that a `holidays` window of the policies names."""

    name: str = Field(description="its name, in the calendar's own language")
    english_name: str = Field(description="its name in English, if the calendar has it; else the same")
    calendars: list[str] = Field(
        description="the countries, subdivisions or markets that have it; empty for days of your own",
        examples=[["NL"]],
    )


class DayBody(BaseModel):
    """A day of a year."""

    date: str = Field(description="its date", examples=["2027-04-27"])
    week: str = Field(description="its ISO week", examples=["2027-W17"])
    seconds: int = Field(description="its length: 23 to 25 hours, mostly; 0 if the zone skips it")
    frozen_s: int = Field(description="how many seconds of it are frozen")
    blocking: list[DayPart] = Field(description="its frozen parts, by rule")
    holidays: list[HolidayBody] = Field(description="the holidays that fall on it")
    in_words: str = Field(description="the same in a sentence")


class YearBody(BaseModel):
    """A year of a service or an environment."""

    year: int = Field(description="the year")
    environment: str = Field(description="the environment")
    service: str | None = Field(description="the service; null for the environment as a whole")
    change: str = Field(description="the kind of change")
    timezone: str = Field(description="the zone of the days")
    from_: Instant = Field(alias="from", description="the start of the year in this zone")
    to: Instant = Field(description="its end, exclusive")
    frozen_s: int = Field(description="how many seconds of it are frozen")
    rules: list[YearRuleBody] = Field(description="the rules that freeze anything, as answers order them")
    days: list[DayBody] = Field(description="each day of the year")
    policy_revision: str = Field(description="the hash of the policies")


class Opening(BaseModel):
    """An occurrence of a policy's windows."""

    from_: Instant | None = Field(alias="from", description="its start; null if more than two years ago")
    until: Instant | None = Field(description="its end; null if more than two years ahead")


class PolicyBody(BaseModel):
    """A policy in force."""

    id: str = Field(description="its id in the file")
    title: str = Field(description="the rule in one line")
    reason: str = Field(description="why the rule exists")
    contact: str | None = Field(description="whom to ask")
    link: str | None = Field(description="where to read more")
    owner: PolicyOwner | None = Field(
        description="the owner of the policy's file; null without `owners`, and in the file that states them"
    )
    effect: Literal["deny", "allow-only", "warn"] = Field(description="what it does, as in the file")
    timezone: str = Field(description="the zone of its times; `service` for the zone of each service")
    in_words: str = Field(description="what it does and when, in a sentence")
    applies_to: list[Selector] | None = Field(
        description="the requests that it covers; null for every request"
    )
    exempt: list[Selector] | None = Field(description="the requests that it leaves alone; null for none")
    override: Literal["token", "never"] = Field(description="whether an override token lifts it")
    notify_before_s: list[int] = Field(
        description="how many seconds before each of its freezes a notice is sent, the earliest first"
    )
    running: Literal["finish", "stop"] = Field(description="whether a deploy that runs already may finish")
    next: list[Opening] = Field(
        description="the next three occurrences, beginning with the present one; of `allow-only`, when it "
        "allows"
    )


class PoliciesBody(BaseModel):
    """The policies in force."""

    policy_revision: str = Field(description="the hash of the files in force: `sha256:…`")
    timezone: str = Field(description="the file's zone")
    policies: list[PolicyBody] = Field(description="every policy, in the order of the file")


class TestResult(BaseModel):
    """The result of a self-test, as `freezegate test --json` shows it."""

    file: str = Field(description="the name of the file")
    name: str = Field(description="the test's name, or its question")
    passed: bool = Field(description="whether the policies answer as it expects")
    expected: str = Field(description="the answer that it expects, such as `deny by [year-end]`")
    got: str = Field(description="the answer of the policies")


class LintBody(BaseModel):
    """The problems and test results of a candidate."""

    usable: bool = Field(description="whether a gate would load them: there are no errors, and no test fails")
    problems: list[FileProblem] = Field(
        description="the errors, and the warnings if the files can be read, in the order of the files; at "
        "most 200 and one that counts the rest"
    )
    tests: list[TestResult] = Field(
        description="the results of the tests in the files, failures first, at most 1,000; none if the files "
        "have errors"
    )
    passed: int = Field(description="how many tests pass")
    failed: int = Field(description="how many tests fail")
    policy_revision: str = Field(
        description="the policies in force, which the events of calendars by URL were taken from"
    )


class UnlistedServices(BaseModel):
    """Services that no catalogue lists and no policy names, distinguished by patterns."""

    globs: list[str] = Field(description="exactly these patterns match them")
    sample: str = Field(description="a name that such a service may have")


class DiffServices(BaseModel):
    """Services with the same difference."""

    names: list[str] = Field(description="those that a catalogue lists, or a policy names without a star")
    patterns: list[UnlistedServices] = Field(description="unlisted services that patterns single out")
    others: bool = Field(description="whether every other service is among them")
    except_: list[UnlistedServices] = Field(
        alias="except", description="with `others`, the unlisted services to which something else happens"
    )


class DiffHours(BaseModel):
    """A stretch of time that opens or closes."""

    from_: Instant = Field(alias="from", description="when it begins")
    to: Instant = Field(description="when it ends, exclusive")
    opens: bool = Field(description="true: denied before, allowed after; false: the other way round")
    before: list[str] = Field(description="the policies that veto at its beginning in the old set")
    after: list[str] = Field(description="those that veto in the new set")
    refused: bool = Field(description="whether no policy vetoes, but a catalogue refuses the service")


class DifferenceBody(BaseModel):
    """The hours that open or close for some services, environments and kinds of change."""

    environments: list[str] = Field(description="the environments")
    changes: list[str] = Field(description="the kinds of change")
    services: DiffServices = Field(description="the services")
    hours: list[DiffHours] = Field(description="the stretches of time, in order")


class DiffPolicy(BaseModel):
    """A policy that changed."""

    kind: Literal["added", "removed", "renamed", "changed"] = Field(description="what happened to it")
    id: str = Field(description="its id in the old set; of an added policy, in the new set")
    new_id: str | None = Field(description="its new id, if it was renamed")
    fields: list[str] = Field(description="the keys whose content changed")


class DiffSetNames(BaseModel):
    """Names that only one set has; there, the other one has no answer."""

    environments: list[str] = Field(description="environments")
    changes: list[str] = Field(description="kinds of change")
    services: list[str] = Field(description="services of the catalogue")


class DiffSetting(BaseModel):
    """A setting of the whole set, or of an environment."""

    name: str = Field(
        description="`timezone`, `unknown_services`, `overrides`, or `environments.NAME.release`"
    )
    before: str = Field(description="in the old set")
    after: str = Field(description="in the new set")


class DiffNames(BaseModel):
    """The changes of lists and settings."""

    added: DiffSetNames = Field(description="names that only the new set has")
    removed: DiffSetNames = Field(description="names that only the old set has")
    changed_services: list[str] = Field(description="services whose tags or zone changed")
    settings: list[DiffSetting] = Field(description="settings that changed")


class DiffBody(BaseModel):
    """The difference of two policy sets in a period."""

    from_: Instant = Field(alias="from", description="the start of the period")
    to: Instant = Field(description="the end of the period, exclusive")
    timezone: str = Field(description="the zone of the times in `in_words`")
    old_revision: str | None = Field(description="the revision of the old set: here, the one in force")
    new_revision: str | None = Field(description="the revision of the new set")
    differs: bool = Field(description="whether anything differs: hours, policies, lists or settings")
    opens: bool = Field(description="whether any hours open")
    closes: bool = Field(description="whether any hours close")
    policies: list[DiffPolicy] = Field(description="the policies that changed")
    names: DiffNames = Field(description="what changed beside the policies")
    differences: list[DifferenceBody] = Field(description="the hours that open or close")
    complete: bool = Field(description="whether everything was compared")
    limits: list[str] = Field(
        description="what was not compared, as sentences: environments and kinds of change that only one set "
        "has, and what would take too long; else empty"
    )
    in_words: list[str] = Field(description="the difference in words")


class LoadBody(BaseModel):
    """A set of policies that was in force."""

    revision: str = Field(description="the hash of the files: `sha256:…`")
    from_: Instant = Field(alias="from", description="when it was loaded first, by the clock of that gate")
    until: Instant | None = Field(description="when another set took its place; null if it is in force")
    cause: Literal["start", "change"] | None = Field(
        description="`start`: a gate started with it; `change`: its files or calendars changed while a gate "
        "ran; null in records of earlier versions"
    )
    host: str | None = Field(
        description="the host of the gate that loaded it first; null in records of earlier versions"
    )
    tzdata: str = Field(description="the version of the time zone data that it was read with")
    holidays: str = Field(description="the version of the holiday calendars that it was read with")
    since: str | None = Field(
        description="the revision that it is compared with: the one before, or the last one before that can "
        "be read; null if there is none"
    )
    problem: str | None = Field(
        description="why it is not compared: its text was not kept, or this version of freezegate does not "
        "accept it; else null"
    )


class ChangedFile(BaseModel):
    """A file, or a calendar by URL, whose text differs."""

    name: str = Field(description="its name in the folder of the policies; of a calendar by URL, its host")
    kind: Literal["added", "removed", "changed"] = Field(description="what happened to it")


class ChangedPolicy(BaseModel):
    """A policy whose content differs; comments, order and layout are no content."""

    kind: Literal["added", "removed", "renamed", "changed"] = Field(description="what happened to it")
    id: str = Field(description="its id before; of an added policy, its id")
    new_id: str | None = Field(description="its id afterwards, if it was renamed")
    fields: list[str] = Field(description="the keys whose values differ, as in the file")


class RevisionBody(LoadBody):
    """A set of policies that was in force, with all that it changed."""

    files: list[ChangedFile] = Field(description="the files that differ, 100 at most")
    more_files: int = Field(description="how many more files differ")
    policies: list[ChangedPolicy] = Field(description="the policies that differ, 100 at most")
    more_policies: int = Field(description="how many more policies differ")
    keys: list[str] = Field(description="the keys of the whole set that differ, such as `services`")


class RevisionPage(BaseModel):
    """A page of the history of the policies."""

    revisions: list[RevisionBody] = Field(description="the sets that were in force, newest first")
    next: str | None = Field(
        description="the `cursor` of the next page; null for the last one. A page may have fewer entries "
        "than `limit`, where comparing them takes long"
    )


class PolicyRevision(LoadBody):
    """A set of policies that was in force, with what it changed of one policy."""

    until: Instant | None = Field(
        description="when the next set of this list took its place, that is, until when the policy stayed "
        "as it was then; null if nothing has changed it since"
    )
    change: ChangedPolicy | None = Field(
        description="what changed of the policy; null where it is not known, see `problem`"
    )


class PolicyHistory(BaseModel):
    """A page of the history of one policy."""

    id: str = Field(description="the policy's id")
    in_force: bool = Field(description="whether a policy of that id is in force")
    revisions: list[PolicyRevision] = Field(
        description="the sets that changed it, newest first, through renames; and those not compared"
    )
    next: str | None = Field(
        description="the `cursor` of the next page; null for the last one. A page may have fewer entries "
        "than `limit`, even none, where going back takes long"
    )


class Approval(BaseModel):
    """An approval of an override."""

    by: str = Field(description="the name of the approver's key or identity")
    at: Instant = Field(description="when it was given")
    person: str | None = Field(description="the person behind the credentials")


class Approvals(BaseModel):
    """The approvals of an override."""

    needed: int = Field(description="how many the file and the policies ask for")
    given: list[Approval] = Field(description="those that were given")


class OverrideBody(BaseModel):
    """An override; never its token."""

    id: str = Field(description="its id: `ovr_…`")
    state: Literal["active", "pending", "scheduled", "expired", "used-up", "revoked"] = Field(
        description="`pending`: an approval is missing; `scheduled`: approved, and its start lies ahead"
    )
    services: list[str] = Field(description="the services that it lets through")
    environments: list[str] = Field(description="the environments that it lets deploys into")
    policies: list[str] | None = Field(description="the rules that it lifts; null for all that may be lifted")
    ref: str | None = Field(description="the only `ref` that it lets through; null for any")
    reason: str = Field(description="why it was granted")
    ticket: str | None = Field(description="where the reason is discussed")
    granted_by: str = Field(description="the name of the granter's key or identity")
    granter: str | None = Field(description="the person behind those credentials")
    granted_at: Instant = Field(description="when it was granted")
    starts_at: Instant | None = Field(description="when it becomes active; null for at once")
    expires_at: Instant = Field(description="when it expires")
    max_uses: int = Field(description="the deploys that it lets through in all")
    uses: int = Field(description="the deploys that it has let through")
    uses_left: int = Field(description="the deploys that it still lets through")
    approvals: Approvals = Field(description="the approvals that it needs and has")
    revoked_by: str | None = Field(description="who revoked it")
    revoked_at: Instant | None = Field(description="when it was revoked")


class GrantedOverride(OverrideBody):
    """An override with its token, which no other answer carries."""

    token: str = Field(description="the secret that claims present: `fzo_…`")


class OverridePage(BaseModel):
    """A page of overrides."""

    overrides: list[OverrideBody] = Field(description="newest first")
    next: str | None = Field(description="the cursor of the next page; null on the last")


class FreezeBody(BaseModel):
    """An ad-hoc freeze."""

    id: str = Field(description="its id: `frz_…`")
    state: Literal["scheduled", "active", "ended", "lifted"] = Field(
        description="`ended` by its end, `lifted` by someone before it"
    )
    title: str = Field(description="what is frozen, in one line")
    reason: str = Field(description="why; the title, if only that was given")
    contact: str | None = Field(description="whom to ask")
    link: str | None = Field(description="where to read more")
    environments: list[str] | None = Field(description="the environments that it covers; null for all")
    services: list[str] | None = Field(description="the services that it covers, `*` allowed; null for all")
    tags: list[str] | None = Field(description="the tags of the services that it covers; null for all")
    exempt: list[Selector] = Field(description="the requests that it leaves alone")
    starts_at: Instant = Field(description="when it starts")
    ends_at: Instant | None = Field(description="when it ends; null if open-ended")
    open_ended: bool = Field(description="true if it lasts until it is lifted")
    forgotten: bool = Field(description="true if it has been open-ended for more than a day")
    override: Literal["token", "never"] = Field(description="whether an override token lifts it")
    running: Literal["finish", "stop"] = Field(description="whether a deploy that runs already may finish")
    started_by: str = Field(description="the name of the key or identity that started it")
    created_at: Instant = Field(description="when it was recorded")
    lifted_by: str | None = Field(description="who lifted it")
    lifted_at: Instant | None = Field(description="when it was lifted")
    lift_reason: str | None = Field(description="why it was lifted")
    changed_at: Instant | None = Field(description="when it was last changed")
    rescoped_at: Instant | None = Field(
        description="when its scope, exemptions, `override` or `running` last changed; tokens granted "
        "before do not lift it"
    )


class FreezePage(BaseModel):
    """A page of ad-hoc freezes."""

    freezes: list[FreezeBody] = Field(description="newest first")
    next: str | None = Field(description="the cursor of the next page; null on the last")


class HoldBody(BaseModel):
    """A deploy that waits for the gate to open, or waited; neither its target nor its secret is shown."""

    id: str = Field(description="its id: `hld_…`")
    state: Literal["waiting", "released", "approved", "rejected", "cancelled", "failed"] = Field(
        description="`released`: let through, and the answer is on the way; `approved`: let through and "
        "answered; `rejected`: it could not wait longer; `failed`: the system that asked takes no answer"
    )
    responder: str | None = Field(description="the system that is answered; null if it asks by itself")
    key: str = Field(description="identifies the deploy at the system that asked")
    service: str = Field(description="the service, or several in words")
    services: list[str] = Field(
        default_factory=list, description="the services of a deploy of several; absent from others"
    )
    environment: str = Field(description="the environment")
    change: str = Field(description="the kind of change")
    duration_s: int = Field(description="how long the deploy takes, in seconds")
    ref: str | None = Field(description="what is deployed")
    actor: str | None = Field(description="who deploys it")
    run_url: str | None = Field(description="the pipeline run")
    requested_by: str = Field(description="the name of the key or identity that asked; empty if anonymous")
    created_at: Instant = Field(description="since when it waits")
    expires_at: Instant = Field(description="until when it can wait")
    changed_at: Instant = Field(description="when its state last changed")
    opens_at: Instant | None = Field(
        description="when it opens, as of the last look at it; null if unknown, or if it waits for its turn"
    )
    turn_at: Instant | None = Field(
        None,
        description="when its turn is expected; null if it will be rejected before that; only in lists",
    )
    message: str | None = Field(
        None, description="why it waits, in words; null if it waits no longer; only of one hold, not in lists"
    )
    decision_id: str | None = Field(
        description="the claim that released it; if it was cancelled later, its approval may have arrived"
    )
    cancelled_by: str | None = Field(
        description="the name of the key or identity that cancelled it, at `changed_at`; empty if anonymous, "
        "and if its key was revoked; null if it was not cancelled"
    )
    cancel_reason: str | None = Field(description="why it was cancelled")


class HoldPage(BaseModel):
    """A page of holds."""

    holds: list[HoldBody] = Field(description="newest first")
    next: str | None = Field(description="the cursor of the next page; null on the last")


class ReportedOutcome(BaseModel):
    """A report of how a deploy went."""

    decision_id: str = Field(description="the claim that allowed the deploy")
    result: Literal["succeeded", "failed", "rolled-back"] = Field(description="how it went")
    incident: str | None = Field(description="where its failure is written down: an id or a link")
    reported_by: str | None = Field(description="the name of the reporter's key or identity")
    reported_at: Instant = Field(description="when it was reported")


class RecordedDecision(DecisionBody):
    """A recorded decision: the answer, and what came with the claim."""

    recorded_at: Instant = Field(description="when it was recorded")
    caller: str | None = Field(
        description="the name of the claimant's key or identity; null without credentials"
    )
    actor: str | None = Field(description="who deploys, as the claim says")
    ref: str | None = Field(description="what is deployed, as the claim says")
    run_url: str | None = Field(description="the pipeline run, as the claim says")
    deploy_id: str | None = Field(description="the id of the deploy, as the claim says")
    repeats: str | None = Field(
        description="the first claim of the same deploy that was denied, too, or allowed, too: this one "
        "isn't counted; null if it is the first"
    )
    request_id: str = Field(description="the id of the request, as in the log")
    tzdata: str = Field(description="the version of the time zone data that decided")
    holidays: str = Field(description="the version of the holiday calendars that decided")


class DecisionWithOutcomes(RecordedDecision):
    """A recorded decision, with the reports on its deploy."""

    outcomes: list[ReportedOutcome] = Field(description="the reports, newest last; the last one counts")


class DecisionPage(BaseModel):
    """A page of recorded decisions."""

    decisions: list[RecordedDecision] = Field(description="newest first")
    next: str | None = Field(description="the cursor of the next page; null on the last")
    since: Instant | None = Field(
        description="the instant up to which older decisions were pruned into the archive; null if none were"
    )


class Tally(BaseModel):
    """Deploys and how they went."""

    deploys: int = Field(description="the allowed claims, each deploy once")
    overrides: int = Field(description="those that a token let through")
    reported: int = Field(description="those with a reported outcome")
    failed: int = Field(description="those reported as failed or rolled back")
    rate: float | None = Field(description="failed of reported, 0 to 1; null if none is reported")
    interval: list[float] | None = Field(description="the confidence interval of the rate: low, high")


class LikeForLike(BaseModel):
    """The rates that were compared: deploys with counterparts alike in environment, change and policies."""

    reported: int = Field(description="the deploys that have counterparts")
    rate: float = Field(description="their failure rate")
    expected: float = Field(description="the failure rate of the counterparts, weighted alike")


class Judgement(BaseModel):
    """A comparison of some deploys with the others."""

    like_for_like: LikeForLike | None = Field(description="what was compared; null if nothing is alike")
    difference: float | None = Field(description="the rate less the expected one")
    difference_interval: list[float] | None = Field(description="its confidence interval: low, high")
    verdict: Literal["worse inside", "better inside", "no difference seen", "too few to tell"] = Field(
        description="what can be said of the difference"
    )
    in_words: str | None = Field(description="the same in a sentence")


class ComparisonBody(Judgement):
    """Deploys of one kind and the others."""

    inside: Tally = Field(description="the deploys of this kind")
    others: Tally = Field(description="all other deploys")


class HourBody(Tally, Judgement):
    """An hour of the week."""

    weekday: Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"] = Field(description="the day")
    hour: int = Field(description="the hour of the day, 0 to 23, in `timezone`")
    denials: int = Field(description="the claims that were denied")


class WaitsBody(BaseModel):
    """The waiting times of denied deploys until they were allowed."""

    count: int = Field(description="the deploys that were allowed later")
    median_s: int | None = Field(description="half of them waited this many seconds or less")
    p90_s: int | None = Field(description="nine of ten waited this many seconds or less")
    never_came_back: int = Field(description="those that did not come back within `patience_s`")
    still_waiting: int = Field(description="those that may still come back")
    in_words: str = Field(description="the same in a sentence")


class PolicyInsight(BaseModel):
    """The effect of a policy in the period."""

    id: str = Field(description="its id; `ad-hoc` for all ad-hoc freezes together")
    title: str | None = Field(description="its title; null if it is not in force any more")
    effect: Literal["deny", "allow-only", "warn"] | None = Field(description="its effect; null likewise")
    denials: int = Field(description="the claims that it denied")
    overrides: int = Field(description="the deploys that a token let through it")
    comparison: ComparisonBody | None = Field(description="deploys inside its windows, and the others")
    waits: WaitsBody = Field(description="how long those waited that it denied")


class EnvironmentInsight(Tally):
    """The deploys of an environment in the period."""

    environment: str = Field(description="the environment")
    denials: int = Field(description="the claims that were denied")
    comparison: ComparisonBody = Field(description="deploys that a token let through, and the others")


class Totals(Tally):
    """The deploys of the whole period."""

    decisions: int = Field(description="deploys and denials together")
    denials: int = Field(description="the claims that were denied")
    unreported: int = Field(description="the deploys without a reported outcome")


class Telling(BaseModel):
    """The smallest difference that is worth a verdict."""

    of_others: float = Field(description="as a share of the other rate")
    at_least: float = Field(description="but no smaller than this")
    at_most: float = Field(description="and no larger than this")


class Confidence(BaseModel):
    """The number of comparisons, and the confidence that each needs for all of them to hold."""

    comparisons: int = Field(description="how many were made")
    confidence_of_each: float = Field(description="the confidence of each, 0 to 1")


class Method(BaseModel):
    """The method behind the verdicts."""

    confidence: float = Field(description="the confidence of all comparisons together, 0 to 1")
    enough: int = Field(description="the reported deploys that each side needs")
    telling: Telling = Field(description="the smallest difference that is worth a verdict")
    patience_s: int = Field(description="the seconds that a denied deploy is waited for")
    hours: Confidence = Field(description="the comparisons of hours")
    policies_and_environments: Confidence = Field(description="the comparisons of policies and environments")


class InsightsBody(BaseModel):
    """An analysis of the recorded decisions of a period."""

    from_: Instant = Field(alias="from", description="the start of the period")
    to: Instant = Field(description="its end, exclusive")
    as_of: Instant = Field(description="when it was counted; at most a minute ago")
    timezone: str = Field(description="the zone of `hours`: that of the policies")
    environment: str | None = Field(description="only of this environment")
    service: str | None = Field(description="only of this service")
    change: str | None = Field(description="only of this kind of change")
    policy_revision: str = Field(description="the hash of the policies that the periods are taken from")
    in_words: str = Field(description="a summary in sentences")
    totals: Totals = Field(description="everything in the period")
    findings: list[str] = Field(description="the differences that are worth a verdict, in sentences")
    policies: list[PolicyInsight] = Field(description="by policy")
    environments: list[EnvironmentInsight] = Field(description="by environment")
    waits: WaitsBody = Field(description="how long denied deploys waited")
    hours: list[HourBody] = Field(description="by hour of the week")
    method: Method = Field(description="how the verdicts were reached")


class StoppedPart(BaseModel):
    """A part of the deploys that went out without a token, and how many of them would have been stopped."""

    total: int = Field(description="the deploys")
    stopped: int = Field(description="those that would have been stopped")
    share: float | None = Field(description="stopped of total, 0 to 1; null without deploys")
    interval: list[float] | None = Field(description="the 95 % confidence interval of the share: low, high")


class TestedDeploys(BaseModel):
    """The deploys that went out without a token; a deploy of several steps counts once."""

    total: int = Field(description="all of them")
    stopped: int = Field(description="those that would have been stopped")
    stopped_for_good: int = Field(description="of the stopped ones, those by a policy with `override: never`")
    refused: int = Field(
        description="of the stopped ones, those of services that the candidate refuses as unknown"
    )
    failed: StoppedPart = Field(description="reported as failed or rolled back")
    good: StoppedPart = Field(description="reported as succeeded")
    unreported: StoppedPart = Field(description="without a report")
    comparison: ComparisonBody = Field(description="the stopped deploys, inside, with the others")


class TestedClaims(BaseModel):
    """The denied claims, one by one: a pipeline that polls has many."""

    total: int = Field(description="all of them")
    allowed: int = Field(description="those that would have been allowed")
    by_freezes_alone: int = Field(description="those that only ad-hoc freezes would still have denied")


class TestedOverrides(BaseModel):
    """The deploys that an override token let through."""

    total: int = Field(description="all of them")
    without_token: int = Field(description="those that would have needed none")
    with_token: int = Field(description="those that would still have needed one")
    never: int = Field(description="those that would have been denied despite the token")


class TestedSteps(BaseModel):
    """The later steps of running deploys that went out."""

    total: int = Field(description="all of them")
    stopped: int = Field(description="those that would have been stopped")


class UnknownNameBody(BaseModel):
    """A name that the candidate doesn't list."""

    field: Literal["environment", "change", "service"] = Field(description="what it is")
    name: str = Field(description="the name")
    decisions: int = Field(description="the decisions with it")


class UnlistedDecisions(BaseModel):
    """The decisions with names that the candidate doesn't list."""

    decisions: int = Field(description="all of them")
    names: list[UnknownNameBody] = Field(description="the names, most decisions first, at most 200")


class PolicyEffectBody(BaseModel):
    """The effect that a policy of the candidate would have had."""

    id: str = Field(description="the policy")
    title: str = Field(description="its title")
    effect: Literal["deny", "allow-only"] = Field(description="its effect; policies that warn are left out")
    stopped: int = Field(description="deploys without a token that it would have stopped")
    stopped_alone: int = Field(description="of these, those that no other policy would have stopped")
    overridden: int = Field(description="deploys by a token that it would have vetoed")
    denied: int = Field(description="denied claims that it would have vetoed, too")
    comparison: ComparisonBody = Field(
        description="of the deploys without a token that it applies to, those that it would have stopped, "
        "inside, with the others"
    )


class FormerRule(BaseModel):
    """A rule of then, with the claims that it denied and that would have been allowed."""

    id: str = Field(description="the policy")
    claims: int = Field(description="the claims")


class TestedGroup(BaseModel):
    """Counts of the decisions of a group."""

    deploys: int = Field(description="deploys that went out without a token")
    stopped: int = Field(description="of these, those that would have been stopped")
    denied: int = Field(description="denied claims")
    allowed: int = Field(description="of these, those that would have been allowed")


class TestedService(TestedGroup):
    """A service."""

    service: str | None = Field(description="its name; null for all beyond 10,000 services")


class TestedEnvironment(TestedGroup):
    """An environment."""

    environment: str | None = Field(description="its name; null for all beyond 10,000 environments")


class TestedHour(TestedGroup):
    """An hour of the week."""

    weekday: Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"] = Field(description="the day")
    hour: int = Field(description="the hour of the day, 0 to 23, in `timezone`")


class ExampleBody(BaseModel):
    """A recorded decision that the candidate would have answered otherwise."""

    decision_id: str = Field(description="its id")
    at: Instant = Field(description="when it was decided")
    service: str = Field(description="the service")
    environment: str = Field(description="the environment")
    change: str = Field(description="the kind of change")
    duration_s: int = Field(description="the seconds that the deploy takes")
    outcome: Literal["allow", "warn", "override", "deny"] = Field(description="the recorded outcome")
    result: Literal["succeeded", "failed", "rolled-back"] | None = Field(
        description="how the deploy went; null without a report"
    )
    policies: list[str] = Field(
        description="the policies of the candidate that veto; of claims that it would have allowed, "
        "those that vetoed then"
    )


class Examples(BaseModel):
    """The newest ten decisions of each kind."""

    stopped: list[ExampleBody] = Field(description="deploys that would have been stopped")
    refused: list[ExampleBody] = Field(
        description="deploys that would have been stopped, because their service is refused as unknown"
    )
    never: list[ExampleBody] = Field(description="deploys by a token that would have been denied despite it")
    allowed: list[ExampleBody] = Field(description="denied claims that would have been allowed")
    steps: list[ExampleBody] = Field(description="later steps that would have been stopped")
    unknown: list[ExampleBody] = Field(description="decisions that can't be judged")


class BacktestBody(BaseModel):
    """The recorded decisions of a period, judged by a candidate."""

    from_: Instant = Field(alias="from", description="the start of the period")
    to: Instant = Field(description="its end, exclusive")
    timezone: str = Field(description="the zone of `hours`: that of the candidate")
    service: str | None = Field(description="only of this service")
    environment: str | None = Field(description="only of this environment")
    change: str | None = Field(description="only of this kind of change")
    new_revision: str | None = Field(description="the hash of the candidate's files")
    complete: bool = Field(description="whether all decisions of the period were judged")
    since: Instant | None = Field(
        description="the instant up to which decisions of the period were pruned, and not judged; null if "
        "none were"
    )
    decisions: int = Field(description="the decisions that were judged, from the oldest on")
    decisions_in_period: int = Field(description="all decisions of the period")
    until: Instant | None = Field(description="the instant of the last one that was judged; null without any")
    in_words: list[str] = Field(description="a summary in sentences")
    deploys: TestedDeploys = Field(description="deploys that went out without a token")
    denied: TestedClaims = Field(description="denied claims")
    overridden: TestedOverrides = Field(description="deploys that an override token let through")
    steps: TestedSteps = Field(description="later steps of running deploys")
    refused: UnlistedDecisions = Field(
        description="decisions on services that the candidate refuses as unknown; they count as denied"
    )
    unknown: UnlistedDecisions = Field(
        description="decisions that can't be judged, because the candidate doesn't list their environment or "
        "kind of change; they count as neither allowed nor denied"
    )
    policies: list[PolicyEffectBody] = Field(description="by policy of the candidate, in its order")
    no_longer_denied_by: list[FormerRule] = Field(
        description="the rules of then whose denied claims would have been allowed, most claims first"
    )
    services: list[TestedService] = Field(description="by service, most changes first, at most 200")
    environments: list[TestedEnvironment] = Field(description="by environment, most changes first")
    hours: list[TestedHour] = Field(description="by hour of the week; hours without decisions are left out")
    examples: Examples = Field(description="decisions that would have been answered otherwise")
    method: Confidence = Field(description="how the verdicts were reached")


class AuditEvent(BaseModel):
    """An event of the record."""

    seq: int = Field(description="its place in the record, from 1")
    at: Instant = Field(description="when it happened")
    kind: str = Field(description="what happened: `decision`, `freeze-started`, `key-created` and others")
    actor: str | None = Field(description="the name of the key or identity that did it")
    data: dict[str, Any] = Field(description="what is recorded of it, by kind")
    hash: str = Field(description="the SHA-256 hash over this event and the hash of the one before")


class AuditPage(BaseModel):
    """A page of the record."""

    events: list[AuditEvent] = Field(description="newest first")
    next: str | None = Field(description="the cursor of the next page; null on the last")


class ChainFault(BaseModel):
    """The first event that is wrong."""

    seq: int = Field(description="its place in the record")
    what: str = Field(description="what is wrong with it")


class TableDifference(BaseModel):
    """A row that disagrees with the record."""

    table: str = Field(description="the table")
    id: str = Field(description="the id of the row")
    what: str = Field(description="what differs")


class CheckpointBody(BaseModel):
    """The position up to which the record was verified."""

    seq: int = Field(description="the last event")
    hash: str = Field(description="its hash")


class PruningBody(BaseModel):
    """A pruning: older events are in the archive, and the record begins after its checkpoint."""

    checkpoint: CheckpointBody = Field(description="the last event that was pruned")
    since: Instant = Field(description="the instant of that event")
    at: Instant = Field(description="when it was pruned")
    file: str | None = Field(
        description="the file of the archive that ends with it; null if there is no archive"
    )
    sha256: str | None = Field(description="the SHA-256 of that file")
    stay: int = Field(description="the older events that stay: of keys, overrides, freezes and policies")


class VerificationBody(BaseModel):
    """The result of verifying the record and comparing the tables with it."""

    whole: bool = Field(description="true if nothing is wrong")
    events: int = Field(description="the events that were found right")
    fault: ChainFault | None = Field(
        description="the first event that is wrong; the tables are not compared then"
    )
    differences: list[TableDifference] = Field(description="the first 100 rows that differ from the record")
    differing: int = Field(description="all rows that differ")
    unproven: dict[str, int] = Field(
        description="by kind, the values that older events do not hold and that can't be compared"
    )
    checkpoint: CheckpointBody = Field(description="keep it: a later record must continue it")
    pruned: PruningBody | None = Field(
        description="the pruning that the record begins after; null if it was never pruned"
    )


class HealthBody(BaseModel):
    """The process is up."""

    status: Literal["up"] = Field(description="always `up`")


class PolicyCheck(BaseModel):
    """The check of the policies."""

    ok: bool = Field(description="always true: without policies the gate does not start")
    revision: str = Field(description="the hash of the files in force")
    stale_since: Instant | None = Field(description="since when newer files are refused; null if none are")
    problems: list[str] = Field(description="the errors of newer files")


class StoreCheck(BaseModel):
    """The check of the store."""

    ok: bool = Field(description="true if it does")


class Checks(BaseModel):
    """The checks of a readiness probe."""

    policies: PolicyCheck = Field(description="the policies in force")
    store: StoreCheck = Field(description="the store")


class ReadinessBody(BaseModel):
    """The readiness of the gate to decide and record."""

    ready: bool = Field(description="true if it can")
    checks: Checks = Field(description="what was checked")


class EndpointBadge(BaseModel):
    """The badge as shields.io reads it."""

    schemaVersion: Literal[1] = Field(description="of the format of shields.io")  # noqa: N815 - theirs
    label: str = Field(description="the left half")
    message: str = Field(description="the right half: the state in a few words")
    color: str = Field(description="the colour of the right half")


class IncidentAnswer(BaseModel):
    """The answer to a report of an incident."""

    result: Literal[
        "started", "extended", "thawing", "unchanged", "unmatched", "repeated", "outdated", "ignored"
    ] = Field(
        description="what it led to; `unmatched`: no rule is about it; `repeated`: this very webhook was "
        "dealt with before; `outdated`: a later report came first; `ignored`: it is not about an incident"
    )
    freezes: list[str] = Field(description="the ids of the freezes of the incident")


class ReportedIncident(BaseModel):
    """An incident, as the gate reads it."""

    key: str = Field(description="identifies it at the system that reports it")
    title: str = Field(description="the incident in one line")
    link: str | None = Field(description="where to read more")
    firing: int = Field(description="how much of it goes on; 0 once it is resolved")
    incomplete: bool = Field(description="true if the report leaves something out")


class RuleVerdict(BaseModel):
    """A rule of the integrations file, compared with an incident."""

    rule: str = Field(description="the name of the rule")
    matches: bool = Field(description="true if it matches; the first one that does applies")
    why_not: list[str] = Field(description="a sentence for each reason why it doesn't match")


class IncidentMove(BaseModel):
    """A step of a report, for the freeze of a rule."""

    rule: str = Field(description="the name of the rule")
    step: Literal["start", "extend", "go-on", "leave", "thaw", "nothing"] = Field(
        description="`leave`: a person has changed or lifted the freeze"
    )
    sentence: str = Field(description="the same, in words")
    freeze: FreezeBody | None = Field(description="the freeze as it would be")


class IncidentSimulation(BaseModel):
    """The result that a report of an incident would have."""

    result: str = Field(description="as in the answer to a report")
    incident: ReportedIncident | None = Field(description="null if it is not about an incident")
    rules: list[RuleVerdict] = Field(description="each rule")
    moves: list[IncidentMove] = Field(description="what would happen")
    unknown: list[str] = Field(description="names of the rule that the policies don't list")


BODIES: Final[tuple[type[BaseModel], ...]] = (
    Problem,
    DecisionBody,
    BatchAnswers,
    StatusBody,
    ScheduleBody,
    ProjectionList,
    ProjectedWindows,
    YearBody,
    PoliciesBody,
    LintBody,
    BacktestBody,
    DiffBody,
    PolicyHistory,
    RevisionPage,
    PolicyBody,
    GrantedOverride,
    OverridePage,
    OverrideBody,
    FreezeBody,
    FreezePage,
    HoldBody,
    HoldPage,
    AnswerFields,
    DecisionPage,
    DecisionWithOutcomes,
    ReportedOutcome,
    InsightsBody,
    AuditPage,
    VerificationBody,
    HealthBody,
    ReadinessBody,
    EndpointBadge,
    IncidentAnswer,
    IncidentSimulation,
)
"""The bodies that routes name in the OpenAPI document."""
