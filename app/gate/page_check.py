"""The verification of a page of the record: the hashes of its events, and the rows that they imply."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from app.core.audit import GENESIS, ChainBreak, Checkpoint, Link, Verifier
from app.core.rollup import Weights
from app.gate.audit_events import Kind
from app.gate.decision_forms import DecisionForms
from app.gate.findings import Findings
from app.gate.page_rows import PageRows, read_rows
from app.gate.rollup_check import DecisionWeights

if TYPE_CHECKING:
    from app.store.view import View

TOGETHER: Final = 5_000
"""Events of a page."""

_ONE_BY_ONE: Final = frozenset(
    {
        *(Kind.DECISION.value, Kind.OUTCOME_REPORTED.value, Kind.REQUEST_REFUSED.value),
        *(Kind.OVERRIDE_GRANTED.value, Kind.OVERRIDE_APPROVED.value),
        *(Kind.OVERRIDE_SPENT.value, Kind.OVERRIDE_REVOKED.value),
    }
)
"""Events that are compared by themselves. Others change what earlier ones began."""


class PageRequest(NamedTuple):
    """A page to be verified."""

    after: int
    """The position before its first event."""
    against: Checkpoint | None
    """A checkpoint that the record must continue."""
    most: int
    """Events of a page."""


class PageFound(NamedTuple):
    """The result of verifying consecutive events and their rows."""

    previous: str
    """The hash of the event that the first one follows."""
    reached: Checkpoint
    """The last event that is right."""
    fault: ChainBreak | None
    """The first one that is wrong; then no rows are compared."""
    ordered: list[Link]
    """Those up to there that must be followed in order."""
    findings: Findings
    is_full: bool
    """Whether more events may follow."""

    def continues(self, before: Checkpoint) -> bool:
        """Return whether all of it is right, if it follows an event that is, and more events may follow."""
        return self.fault is None and self.is_full and self.previous == before.hash

    def to_json(self) -> dict[str, Any]:
        """Return it for another process."""
        return {**self._asdict(), "findings": self.findings.to_json()}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "PageFound":
        """Return what another process found."""
        fault = said["fault"]
        return cls(
            said["previous"],
            Checkpoint(*said["reached"]),
            None if fault is None else ChainBreak(*fault),
            [Link(*each) for each in said["ordered"]],
            Findings.from_json(said["findings"]),
            said["is_full"],
        )


class PageCheck:
    """Verifies pages, in any order."""

    def __init__(self, weights: Weights) -> None:
        """Know nothing of other pages; those that are added up need the same weights."""
        self._forms = DecisionForms()
        self._weights = DecisionWeights(weights)

    def check(self, view: "View", request: PageRequest, previous: str | None = None) -> PageFound:
        """Verify the events after a position, and their rows, in one state of the database.

        Args:
            view: the state.
            request: the page.
            previous: the hash of the event before; None takes that which is stored, to be compared later.
        """
        after = request.after
        page = view.stored_events(after, request.most)
        before = (page.before.hash or GENESIS) if previous is None else previous
        verifier, findings = Verifier(request.against, Checkpoint(after, before)), Findings()
        ordered: list[Link] = []
        last = page.rows[-1][0] if page.rows else after
        # Outcomes may be those of decisions that were pruned.
        pruned = view.latest_pruned() is not None
        rows = PageRows(
            read_rows(view, page.others(), (after, last), pruned=pruned),
            self._forms,
            self._weights,
            findings,
        )
        self._forms.add(page.forms)
        for link, parts in page.in_parts():
            fault = verifier.check(link)
            if fault is not None:
                return PageFound(before, verifier.reached, fault, ordered, Findings(), is_full=False)
            rows.check(link, parts)
            if not parts and link.kind not in _ONE_BY_ONE:
                ordered.append(link)
        rows.finish()
        findings.revisions |= self._forms.revisions(page.forms)
        is_full = len(page.rows) == request.most
        return PageFound(before, verifier.reached, None, ordered, findings, is_full)

    def check_ahead(self, view: "View", request: PageRequest) -> PageFound | None:
        """Verify a page before those before it; return None if events of it were pruned."""
        pruned = view.latest_pruned()
        if pruned is not None and pruned.seq > request.after:
            return None
        return self.check(view, request)

    def check_staying(self, view: "View", links: list[Link]) -> Findings:
        """Compare the rows of events that stay of what was pruned."""
        findings = Findings()
        rows = PageRows(read_rows(view, links), self._forms, self._weights, findings)
        for link in links:
            rows.check(link, [])
        rows.finish()
        return findings
