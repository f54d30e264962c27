"""The section of the integrations file: what repositories and environments mean."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from app.core.decision import Question
from app.integrations.deploy_rule import UnmatchedDeployError
from app.integrations.github.section import GitHub
from app.integrations.integrations import IntegrationsFileError, read_integrations_file
from app.main import open_resources
from app.settings import Settings
from tests.api.fakes import FakeClock
from tests.integrations.github.fake import private_pem

BASE = "  app_id: 12345\n  private_key_file: app.pem\n  secret: a-secret-of-webhooks\n"


def read(folder: Path, more: str) -> GitHub:
    (folder / "app.pem").write_text(private_pem())
    file = folder / "integrations.yaml"
    file.write_text(f"github:\n{BASE}{more}")
    section = read_integrations_file(file, {})["github"]
    assert isinstance(section, GitHub)
    return section


def question(section: GitHub, repository: str, environment: str) -> Question | None:
    try:
        return section.question(repository, environment)
    except UnmatchedDeployError:
        return None


def test_the_first_rule_that_matches_says_what_a_deploy_is(tmp_path: Path) -> None:
    section = read(
        tmp_path,
        """\
  deployments:
    - {repository: acme/infra-*, environment: production, service: "infra/{name}", duration: 20m}
    - {repository: Acme/*, environment: production, github_environment: prod-*, change: hotfix}
    - {repository: acme/*, environment: production}
    - {repository: "*/*", environment: staging, service: "{owner}-{name}-{github_environment}"}
""",
    )
    assert section.api == "https://api.github.com"
    assert question(section, "acme/infra-dns", "production") == Question(
        "infra/infra-dns", "production", "normal", 1_200
    )
    assert question(section, "acme/Checkout", "PROD-eu") == Question("checkout", "production", "hotfix")
    assert question(section, "ACME/checkout", "Production") == Question("checkout", "production")
    assert question(section, "o/r", "staging") == Question("o-r-staging", "staging")
    assert question(section, "acme/checkout", "prod-eu/blue") is None, "* does not cross a /"
    assert question(section, "other/checkout", "production") is None
    assert question(section, "acme/.github", "production") is None, "the service would have no valid name"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("  api: http://github.example.com\n", "must begin with https://"),
        ("  api: https://user@github.example.com\n", "nothing in front of it"),
        ('  deployments: [{repository: "*", environment: production}]\n', "repository"),
        ("  deployments: [{repository: a/b, environment: Production}]\n", "environment"),
        (
            '  deployments: [{repository: a/b, environment: p, service: "{repo}"}]\n',
            "only these are filled in: {repository}, {owner}, {name}",
        ),
        ('  deployments: [{repository: a/b, environment: p, service: "No Name"}]\n', "a name is 1 to 128"),
        ("  deployments: [{repository: a/b, environment: p, sevice: x}]\n", 'did you mean "service"'),
        (
            "  deployments: [{repository: a/b, environment: p}, {repository: A/b, environment: p}]\n",
            "two rules have the same repository and environment",
        ),
    ],
)
def test_each_mistake_is_named(tmp_path: Path, more: str, message: str) -> None:
    with pytest.raises(IntegrationsFileError) as error:
        read(tmp_path, more)
    assert message in str(error.value)
    assert "PRIVATE KEY" not in str(error.value)


def test_a_key_is_required(tmp_path: Path) -> None:
    file = tmp_path / "integrations.yaml"
    file.write_text("github: {app_id: 1, secret: a-secret-of-webhooks}\n")
    with pytest.raises(IntegrationsFileError, match="private_key: one of private_key, private_key_file"):
        read_integrations_file(file, {})


def test_a_private_key_that_is_none_is_found_before_the_gate_listens_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "app.pem").write_text("hunter2")
    (tmp_path / "policies.yaml").write_text("version: 1\npolicies: []\n")
    file = tmp_path / "integrations.yaml"
    file.write_text(f"github:\n{BASE}")
    settings = Settings(policies=tmp_path / "policies.yaml", integrations=file)
    with pytest.raises(IntegrationsFileError) as error:
        open_resources(settings, FakeClock(0))
    why = "holds no RSA private key in PEM form"
    assert str(error.value) == f"{file}:3:21: github.private_key_file: {why}"


def test_a_key_that_is_not_of_rsa_signs_no_app(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key").write_bytes(pem)
    file = tmp_path / "integrations.yaml"
    file.write_text("github: {app_id: 1, secret: a-secret-of-webhooks, private_key_file: key}\n")
    with pytest.raises(IntegrationsFileError, match="no RSA private key"):
        read_integrations_file(file, {})
