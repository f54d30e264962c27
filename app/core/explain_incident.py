"""The sentences on what a report of an incident does to freezes."""

from app.core.decision_json import instant_or_none
from app.core.freeze import Freeze
from app.core.incident_freeze import Step


def move_sentence(step: Step, freeze: Freeze | None) -> str:
    """Return the sentence on a step that a report would take."""
    if freeze is None:
        return "nothing: it has no freeze"
    until = instant_or_none(freeze.ends_at) or "it is lifted"
    return {
        Step.START: f"start a freeze until {until}: {freeze.title}",
        Step.EXTEND: f"extend {freeze.id} until {until}",
        Step.GO_ON: f"nothing: {freeze.id} goes on until {until}",
        Step.LEAVE: f"nothing: a person has changed or lifted {freeze.id}",
        Step.THAW: f"end {freeze.id} at {until}",
        Step.NOTHING: f"nothing: {freeze.id} is over, or ends at {until}",
    }[step]
