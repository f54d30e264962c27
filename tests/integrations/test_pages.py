"""The sections of the integrations file in the pages of `docs/how-to`, read as the gate reads them."""

import re
import textwrap
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from app.integrations.integrations import read_integrations_file
from app.integrations.vendors import vendors
from tests.integrations.github.fake import private_pem
from tests.live.gate import ROOT

WITH_SECTION = tuple(f"{name}:\n" for name, vendor in vendors().items() if vendor.section is not None)


def blocks(page: Path) -> list[str]:
    """Return the fenced YAML blocks of a page; those in lists are indented."""
    found = re.findall(
        r"^( *)```yaml\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    return [textwrap.dedent(block) for _, block in found]


def sections() -> list[tuple[str, str]]:
    """Return the blocks of pages that are a section of the file, each with the name of its page.

    The pages about projections have tests of their own: Argo CD's token is in a file of its pod.
    """
    pages = [each for each in sorted((ROOT / "docs/how-to").rglob("*.md")) if each.parent.name != "project"]
    return [(page.name, block) for page in pages for block in blocks(page) if block.startswith(WITH_SECTION)]


def _pem(name: str) -> str:
    """Return a private key: anchors are signed by Ed25519, GitHub's App by RSA."""
    if "anchor" not in name:
        return private_pem()
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Ed25519PrivateKey.generate().private_bytes(*form).decode()


@pytest.mark.parametrize(("page", "text"), sections())
def test_the_sections_of_a_page_are_read(page: str, text: str, tmp_path: Path) -> None:
    assert page
    for path in re.findall(r"/run/secrets/([\w.-]+)", text):
        secret = _pem(path) if path.endswith(".pem") else "whsec_c2VjcmV0LW9mLXRoaXMtdGVzdA==\n"
        (tmp_path / path).write_text(secret)
    file = tmp_path / "integrations.yaml"
    file.write_text(text.replace("/run/secrets/", f"{tmp_path}/"))
    assert list(read_integrations_file(file, {})) == list(yaml.safe_load(text))
