"""OIDC: identity tokens of CI jobs in place of stored secrets, and people who sign in on the dashboard."""

from app.identity.oidc.errors import (
    CredentialsError,
    IdentityFileError,
    IssuerUnavailableError,
    NoRuleError,
)
from app.identity.oidc.issuers import IdentityFile, Issuer, Rule, read_identity_file
from app.identity.oidc.login import Login
from app.identity.oidc.people import People, SignedIn
from app.identity.oidc.providers import IdentityProviders

__all__ = [
    "CredentialsError",
    "IdentityFile",
    "IdentityFileError",
    "IdentityProviders",
    "Issuer",
    "IssuerUnavailableError",
    "Login",
    "NoRuleError",
    "People",
    "Rule",
    "SignedIn",
    "read_identity_file",
]
