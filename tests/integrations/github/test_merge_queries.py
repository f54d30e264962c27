"""Answers of the GraphQL API, read with care."""

from typing import Any

import pytest

from app.core.errors import MalformedValueError
from app.core.merge_check import MergeCheck, ReportedCheck
from app.core.merge_freeze import Head, PullRequest
from app.integrations.github.merge_queries import budget_of, conclude, external_id, found_in, number_in

CHECK = MergeCheck(False, "Frozen", "Why.", "More.")
HEAD = Head("a" * 40, "main", (PullRequest(7, "a" * 40, "main"),))


def facts(number: int, **given: Any) -> dict[str, Any]:
    return {
        "number": number,
        "state": "OPEN",
        "headRefOid": f"{number}",
        "baseRefName": "main",
        "isInMergeQueue": False,
        "labels": None,
        **given,
    }


def commit(oid: str, suite: str = "COMPLETED", **run: Any) -> dict[str, Any]:
    found = {"status": "COMPLETED", "conclusion": "SUCCESS", "externalId": "abc:7", **run}
    return {"oid": oid, "checkSuites": {"nodes": [{"status": suite, "checkRuns": {"nodes": [found]}}]}}


def page(*nodes: dict[str, Any] | None) -> dict[str, Any]:
    info = {"hasNextPage": False, "endCursor": None}
    return {"repository": {"id": "R", "pullRequests": {"pageInfo": info, "nodes": nodes}}}


def queue(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"repository": {"id": "R", "mergeQueue": {"entries": {"nodes": entries}}}}


def test_an_answer_without_a_repository_or_of_another_form_is_refused() -> None:
    for data in ({"repository": None}, {}, {"repository": {"id": "R"}}, page({"number": 1})):
        with pytest.raises(MalformedValueError):
            found_in(data)


def test_pull_requests_that_could_not_be_read_are_left_out() -> None:
    node = facts(1) | {"commits": {"nodes": [{"commit": {"oid": "1", "checkSuites": None}}]}}
    found = found_in(page(None, node))
    assert found.pulls == (PullRequest(1, "1", "main"),)
    assert found.reported == {}


@pytest.mark.parametrize(
    ("status", "run", "reported"),
    [
        ("COMPLETED", {}, ReportedCheck(True, "abc")),
        ("COMPLETED", {"conclusion": "FAILURE"}, ReportedCheck(False, "abc")),
        ("COMPLETED", {"conclusion": "NEUTRAL", "externalId": None}, ReportedCheck(False, "")),
        ("COMPLETED", {"status": "IN_PROGRESS", "conclusion": None}, ReportedCheck(None, "abc")),
        ("QUEUED", {}, ReportedCheck(None, "abc")),
    ],
)
def test_the_newest_check_counts_unless_it_was_asked_for_again(
    status: str, run: dict[str, Any], reported: ReportedCheck
) -> None:
    node = facts(1) | {"commits": {"nodes": [{"commit": commit("1", status, **run)}]}}
    assert found_in(page(node)).reported == {"1": reported}


def test_a_closed_pull_request_and_a_branch_without_a_queue_have_no_heads() -> None:
    assert found_in({"repository": {"id": "R", "pullRequest": None}}).pulls == ()
    assert found_in({"repository": {"id": "R", "pullRequest": facts(1, state="MERGED")}}).pulls == ()
    assert found_in({"repository": {"id": "R", "mergeQueue": None}}).groups == ()


def test_a_group_holds_the_pull_requests_before_it_and_knows_of_one_that_cannot_be_read() -> None:
    found = found_in(
        queue(
            {"position": 3, "headCommit": commit("c3"), "pullRequest": facts(3)},
            {"position": 1, "headCommit": commit("c1"), "pullRequest": facts(1)},
            {"position": 2, "headCommit": None, "pullRequest": None},
            {"position": 4, "headCommit": None, "pullRequest": facts(4)},
        )
    )
    assert [(group.sha, [each.number for each in group.pulls], group.complete) for group in found.groups] == [
        ("c1", [1], True),
        ("c3", [1, 3], False),
    ]


def test_a_group_of_which_nothing_can_be_read_is_not_forgotten() -> None:
    found = found_in(queue({"position": 1, "headCommit": commit("c1"), "pullRequest": None}))
    assert found.groups == ()  # its branch isn't known; the event that told of it is


def test_a_server_without_limits_has_a_full_budget() -> None:
    assert budget_of({"rateLimit": None}).remaining > 5_000


def test_the_external_id_leads_back_to_the_pull_request() -> None:
    assert number_in(external_id(HEAD, CHECK)) == 7
    assert number_in(external_id(HEAD._replace(group=True), CHECK)) is None
    for other in ("", "7", "x:", "x:²", f"x:{'9' * 20}"):
        assert number_in(other) is None


def test_checks_link_to_the_gate_if_its_address_is_known() -> None:
    plain = conclude("R", "Merge freeze", [(HEAD, CHECK._replace(text=""))])["variables"]["c0"]
    assert "detailsUrl" not in plain
    assert plain["output"] == {"title": "Frozen", "summary": "Why."}
    linked = conclude("R", "Merge freeze", [(HEAD, CHECK)], "https://gate.example.com")["variables"]["c0"]
    assert linked["detailsUrl"] == "https://gate.example.com"
    assert linked["output"]["text"] == "More."
