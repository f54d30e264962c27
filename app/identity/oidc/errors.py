"""Errors of identity tokens. None carries the token or its claims."""

from app.core.errors import FreezegateError
from app.yaml.problem import YamlFileError


class CredentialsError(FreezegateError):
    """An identity token is invalid; the text says why."""


class IssuerUnavailableError(FreezegateError):
    """The issuer's keys can't be fetched, and none are cached."""


class IdentityFileError(YamlFileError):
    """The file of issuers can't be used; the text lists all of its problems."""
