"""The section of callbacks in the integrations file."""

from typing import ClassVar

from pydantic import Field

from app.integrations.callback_url import Host
from app.integrations.section import WithSecret
from app.integrations.signatures import SHORTEST_SECRET


class Callback(WithSecret):
    """Callbacks: the answers to `POST /holds`."""

    shortest_secret: ClassVar[int] = SHORTEST_SECRET

    hosts: list[Host] = Field(
        min_length=1,
        max_length=100,
        description="the hosts that may be called back, each with its port unless that is 443; `*.` stands "
        "for one or more labels",
        examples=[["ci.example.com", "*.deploy.example.com", "jenkins.example.com:8443"]],
    )
    progress: bool = Field(
        default=False,
        description="whether the time of the opening is called back, too, on arrival and when it moves",
        examples=[True],
    )
