"""The options and the result of an export, which all formats share."""

from collections.abc import Sequence
from typing import NamedTuple

from app.core.instant import DAY


class ExportOptions(NamedTuple):
    """The scope of an export, and how far explicit windows reach."""

    now: int
    days: int
    environment: str
    service: str | None = None
    applications: Sequence[str] = ("*",)
    """The applications of an AppProject; only for `argocd`."""
    as_json: bool = False
    """Whether to write JSON; only for `gitlab`."""

    @property
    def until(self) -> int:
        """The end of the explicit windows: midnight in UTC."""
        return self.now - self.now % DAY + self.days * DAY


class Remark(NamedTuple):
    """A remark on a policy that the other program can't follow in full."""

    policy: str
    """Its id; empty for a remark on the export as a whole."""
    sentence: str
    refused: bool = False
    """Whether the other program would let deploys through that the policy refuses."""


class Exported(NamedTuple):
    """The text of an export, and the remarks on it."""

    text: str
    windows: int
    remarks: Sequence[Remark] = ()
