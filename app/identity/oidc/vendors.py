"""What is particular to an issuer, as a table: contexts that are refused, and what a caller is called."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple


class Vendor(NamedTuple):
    """One CI system."""

    prefix: str
    """How the names of its callers begin."""
    name: tuple[str, ...]
    """The claims that tell who it is: the first is the project, the second the person behind the run."""
    refused: Mapping[str, frozenset[str]]
    """Claims and their values of runs that strangers can start, unless a rule names that claim."""


GITHUB: Final = Vendor(
    "github",
    ("repository", "actor"),
    # Code of a pull request runs before anybody has looked at it.
    {"event_name": frozenset({"pull_request", "pull_request_target", "issue_comment", "workflow_run"})},
)

GITLAB: Final = Vendor(
    "gitlab",
    ("project_path", "user_login"),
    {
        "pipeline_source": frozenset({"merge_request_event", "external_pull_request_event"}),
        "ref_protected": frozenset({"false"}),
    },
)

_GENERIC: Final = Vendor("oidc", ("sub",), {})


def vendor_of(claims: Mapping[str, Any]) -> Vendor:
    """The CI system that a token comes from, by the claims that only its tokens have."""
    for vendor in (GITHUB, GITLAB):
        if all(isinstance(claims.get(claim), str) for claim in vendor.name[:1]):
            return vendor
    return _GENERIC


def name_of(vendor: Vendor, claims: Mapping[str, Any]) -> str:
    """What a caller is called: ``github:acme/checkout@alice``."""
    told = [str(claims[claim]) for claim in vendor.name if isinstance(claims.get(claim), str)]
    return f"{vendor.prefix}:{'@'.join(told)}"[:256]
