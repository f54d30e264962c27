"""GitLab CI, on gitlab.com and elsewhere."""

from typing import Final

from app.identity.oidc.vendor import Vendor

VENDOR: Final = Vendor(
    prefix="gitlab",
    known_by="project_path",
    name=("project_path", "user_login"),
    user="user_id",
    refused={
        # Code of a merge request runs before anybody has looked at it.
        "pipeline_source": frozenset({"merge_request_event", "external_pull_request_event"}),
        # Whoever may push to a branch that is not protected runs what they like; it also finds the
        # child pipelines of merge requests, whose source reads `parent_pipeline`.
        "ref_protected": frozenset({"false"}),
    },
)
