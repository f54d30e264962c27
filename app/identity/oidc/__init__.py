"""OIDC identity tokens of CI jobs, in place of stored secrets."""

from app.identity.oidc.errors import CredentialsError, IdentityFileError, IssuerUnavailableError
from app.identity.oidc.issuers import Issuer, Rule, read_identity_file
from app.identity.oidc.providers import IdentityProviders

__all__ = [
    "CredentialsError",
    "IdentityFileError",
    "IdentityProviders",
    "Issuer",
    "IssuerUnavailableError",
    "Rule",
    "read_identity_file",
]
