"""GitHub Actions and compatible issuers: Enterprise Server, Forgejo, Gitea."""

from typing import Final

from app.identity.oidc.vendor import Vendor

VENDOR: Final = Vendor(
    prefix="github",
    known_by="repository",
    name=("repository", "actor"),
    user="actor_id",
    refused={
        "event_name": frozenset(
            {
                # The code of a pull request runs before any review.
                "pull_request",
                "pull_request_target",
                "pull_request_review",
                "pull_request_review_comment",
                # The code is the default branch's, but any outsider can trigger it with a text of their own.
                "discussion",
                "discussion_comment",
                "fork",
                "issue_comment",
                "issues",
                "watch",
                "workflow_run",
            }
        )
    },
)
