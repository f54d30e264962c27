"""GitHub's table entry."""

from typing import Final

from app.integrations.github.client import App
from app.integrations.github.deployments import Reviews
from app.integrations.github.route import router
from app.integrations.github.section import GitHub
from app.integrations.github.work import work
from app.integrations.vendor import Surroundings, Vendor


def _responder(section: GitHub, surroundings: Surroundings) -> Reviews:
    return Reviews(section, section.app(lambda: App(section, surroundings.clock)))


VENDOR: Final = Vendor("github", section=GitHub, router=router, responder=_responder, work=work)
