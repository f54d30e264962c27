"""The how-to page: its section is valid, and the link names what the code needs."""

import re
import textwrap
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from app.core.decision import Question
from app.integrations.github.client import DEADLINE
from app.integrations.github.deployments import READ, REVIEW
from app.integrations.github.events import HANDLERS
from app.integrations.github.section import GitHub
from app.integrations.github.work import LOOKED_EVERY
from app.integrations.integrations import read_integrations_file
from tests.integrations.github.fake import private_pem
from tests.live.gate import ROOT

PAGE = (ROOT / "docs/how-to/platforms/github.md").read_text()


def block(language: str) -> str:
    found = re.search(rf"^( *)```{language}\n(.*?)\n\1```", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return textwrap.dedent(found[2])


def test_the_section_means_what_the_page_says(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(private_pem())
    (tmp_path / "secret").write_text("a-newer-secret-of-webhooks\nan-older-secret-of-webhooks\n")
    file = tmp_path / "integrations.yaml"
    text = block("yaml").replace("/run/secrets/github-app.pem", "key")
    file.write_text(text.replace("/run/secrets/github-webhook-secret", "secret"))
    section = read_integrations_file(file, {})["github"]
    assert isinstance(section, GitHub)
    assert section.question("acme/infra-dns", "production") == Question(
        "infra/infra-dns", "production", "normal", 2_700
    )
    assert section.question("acme/checkout", "prod-eu") == Question("checkout", "production")
    assert len(section.secrets("secret")) == 2


def test_the_link_asks_for_the_permissions_and_events_that_are_used() -> None:
    query = parse_qs(urlsplit(block("text")).query)
    assert query["webhook_url"][0].endswith("/integrations/github")
    asked = {name: query[name][0] for name in ("actions", "deployments")}
    assert asked == READ | REVIEW
    assert set(query["events[]"]) <= set(HANDLERS)


def test_the_page_names_the_pace_of_the_list() -> None:
    assert f"every {int(LOOKED_EVERY)}\nseconds" in PAGE
    assert DEADLINE <= LOOKED_EVERY
