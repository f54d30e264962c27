"""GitLab CI, on gitlab.com and elsewhere."""

from typing import Final

from app.identity.oidc.vendor import Vendor

VENDOR: Final = Vendor(
    prefix="gitlab",
    known_by="project_path",
    name=("project_path", "user_login"),
    user="user_id",
    refused={
        # The code of a merge request runs before any review.
        "pipeline_source": frozenset({"merge_request_event", "external_pull_request_event"}),
        # Anyone who may push to an unprotected branch runs any code there. This also covers child
        # pipelines of merge requests, whose source is `parent_pipeline`.
        "ref_protected": frozenset({"false"}),
    },
)
