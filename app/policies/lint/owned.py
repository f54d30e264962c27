"""Remarks on tags in a team's file that services of other teams carry: the policy doesn't reach those."""

from collections.abc import Iterator, Sequence

from app.core.policy import PolicySet, Selector
from app.policies.check import entries
from app.policies.ownership import Ownership, TeamReach, listed, selectors
from app.yaml.document import Document
from app.yaml.problem import Path

Remark = tuple[Document, Path, str]


def owned_remarks(documents: Sequence[Document], policy_set: PolicySet) -> Iterator[Remark]:
    """Yield the remarks on `applies_to` of the policies and the defaults of each team's file."""
    ownership = Ownership(policy_set)
    for document in documents:
        if (reach := ownership.team(document.name)) is not None:
            yield from _on_file(document, reach, policy_set)


def _on_file(document: Document, reach: TeamReach, policy_set: PolicySet) -> Iterator[Remark]:
    holders: dict[Path, object] = {
        ("policies", index): policy for index, policy in enumerate(entries(document, "policies"))
    }
    holders[("defaults",)] = document.data.get("defaults")
    for path, written in _tagged(holders):
        if others := _others(Selector.model_validate(written), reach, policy_set):
            sentence = (
                f"of the services with these tags, this file doesn't reach {listed(others)}; name services "
                "beside the tags to say which are meant"
            )
            yield document, (*path, "tags"), sentence


def _others(selector: Selector, reach: TeamReach, policy_set: PolicySet) -> list[str]:
    """Return the services of the catalogue that a selector matches and a file doesn't reach."""
    names = (name for name in policy_set.services or () if not reach.covers(name))
    return [name for name in names if selector.selects_service(name, policy_set.tags_of(name))]


def _tagged(holders: dict[Path, object]) -> Iterator[tuple[Path, dict[str, object]]]:
    """Yield the selectors with tags and without services."""
    for path, holder in holders.items():
        for where, selector in selectors(path, holder, "applies_to"):
            if isinstance(selector, dict) and "tags" in selector and "services" not in selector:
                yield where, selector
