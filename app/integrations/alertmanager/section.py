"""Alertmanager's section of the integrations file."""

from pydantic import Field

from app.integrations.incidents import IncidentSection
from app.integrations.section import Text


class Alertmanager(IncidentSection):
    """The section of Alertmanager."""

    secret_names = ("token",)

    token: Text | None = Field(
        None,
        description="the token that Alertmanager sends, as `credentials` of its `http_config.authorization`; "
        "exactly one of `token`, `token_file` and `token_env` is required",
        examples=["a-long-random-text"],
    )
    token_file: Text | None = Field(
        None,
        description="a file that holds the token, or several, one a line, of which any is accepted",
        examples=["/run/secrets/alertmanager-token"],
    )
    token_env: Text | None = Field(
        None, description="a variable that holds the token", examples=["ALERTMANAGER_TOKEN"]
    )
