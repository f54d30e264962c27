from collections.abc import Sequence

from app.core.decision import Decision, Question, together
from app.core.decision_json import decision_to_json
from app.core.engine import Engine
from app.core.environment import USUAL_ENVIRONMENT, EnvironmentKind, Release
from app.core.explain import message
from app.core.instant import parse_instant
from app.core.notification import Denied, services_open
from app.core.override import Override, Use, UseResult
from app.core.policy import PolicySet
from app.core.wallclock import zone

NOW = parse_instant("2026-11-27T13:00:00Z")
HOME = zone("UTC")

FRIDAY = {
    "id": "friday",
    "title": "Friday",
    "reason": "R.",
    "when": [{"weekly": {"from": "fri 12:00", "to": "mon 08:00"}}],
}


def a_set(environments: object = None, policies: Sequence[object] = ()) -> PolicySet:
    fields = {} if environments is None else {"environments": environments}
    return PolicySet.model_validate({"version": 1, "policies": list(policies), **fields})


def pace(batch: int, every: str) -> Release:
    return Release.model_validate({"batch": batch, "every": every})


def merging(at: int = NOW, question: Question | None = None) -> Decision:
    engine = Engine(a_set({"main": {"kind": "merge"}, "production": {}}, [FRIDAY]))
    return engine.decide(question or Question("api", "main"), at)


def test_a_list_of_names_gives_each_environment_the_usual_settings() -> None:
    policy_set = a_set(["production", "staging"])
    assert list(policy_set.environments) == ["production", "staging"]
    assert policy_set.environment("staging") == USUAL_ENVIRONMENT
    assert policy_set.environment("staging").kind is EnvironmentKind.DEPLOY
    assert policy_set.environment("staging").release == pace(5, "1m")


def test_without_environments_there_is_production() -> None:
    assert a_set().environments == {"production": USUAL_ENVIRONMENT}


def test_a_mapping_keeps_the_order_of_the_names_and_fills_in_what_is_left_out() -> None:
    policy_set = a_set({"staging": {"release": {"every": "2m"}}, "main": {"kind": "merge"}, "production": {}})
    assert list(policy_set.environments) == ["staging", "main", "production"]
    assert policy_set.environment("staging").release == pace(5, "2m")
    assert policy_set.environment("main").kind is EnvironmentKind.MERGE
    assert policy_set.environment("production") == USUAL_ENVIRONMENT


def test_an_environment_that_is_gone_has_the_usual_settings() -> None:
    assert a_set({"production": {"release": {"batch": 1}}}).environment("staging") == USUAL_ENVIRONMENT


def test_a_branch_is_merged_into_and_not_deployed_to() -> None:
    assert message(merging(), HOME) == (
        "api may not be merged into main: Friday. Opens Mon 30 Nov 08:00 UTC, in 2 d 19 h."
    )
    opened = parse_instant("2026-11-30T08:00:00Z")
    assert message(merging(opened), HOME).startswith("api may be merged into main. Closes Fri 4 Dec")


def test_the_other_environments_of_the_set_are_deployed_to() -> None:
    assert message(merging(question=Question("api")), HOME).startswith(
        "api may not be deployed to production"
    )


def test_several_services_are_merged_together() -> None:
    decision = merging(question=together(["api", "web"], "main"))
    assert message(decision, HOME).startswith("api and web may not be merged into main: Friday.")


def test_a_warning_of_a_branch_speaks_of_the_merge() -> None:
    engine = Engine(a_set({"main": {"kind": "merge"}}, [{**FRIDAY, "effect": "warn"}]))
    sentence = message(engine.decide(Question("api", "main"), NOW), HOME)
    assert sentence == "api may be merged into main, with a warning: Friday."


def test_a_merge_by_an_override_says_so() -> None:
    override = Override(
        id="ovr_1",
        services=("api",),
        environments=("main",),
        policies=None,
        reason="Urgent.",
        ticket=None,
        granted_by="ada",
        granted_at=NOW - 60,
        expires_at=NOW + 60,
        max_uses=1,
        uses=0,
        approvals_needed=0,
    )
    sentence = message(merging(), HOME, Use(UseResult.SPENT, override))
    assert sentence.startswith(
        "api may be merged into main by an override of ada (Urgent), in spite of: Friday."
    )


def test_the_environment_itself_knows_its_kind_too() -> None:
    engine = Engine(a_set({"main": {"kind": "merge"}}, [FRIDAY]))
    assert engine.decide_environment("main", NOW).kind is EnvironmentKind.MERGE


def test_a_branch_that_opens_again_is_notified_as_merged_into() -> None:
    opened = merging(parse_instant("2026-11-30T08:00:00Z"))
    told = services_open(opened, HOME, [Denied("api", "ada")], 0, "key")
    assert told.title == "api may be merged into main again"
    assert told.text[0].startswith("api may be merged into main.")


def test_the_json_of_a_decision_is_the_same_but_for_the_sentence() -> None:
    found = decision_to_json(merging(), HOME, "sha256:0")
    assert found["environment"] == "main"
    assert "kind" not in found
