"""Errors of identity tokens. None carries the token or its claims."""

from app.core.errors import FreezegateError
from app.yaml.problem import YamlFileError


class CredentialsError(FreezegateError):
    """An identity token is invalid; the text says why."""


class NoRuleError(FreezegateError):
    """An issuer has signed a person in, and no rule gives them a role; `name` is theirs."""

    def __init__(self, name: str, message: str) -> None:
        self.name = name
        super().__init__(message)


class IssuerUnavailableError(FreezegateError):
    """The issuer can't be reached, and what is needed of it isn't cached."""


class IdentityFileError(YamlFileError):
    """The file of issuers can't be used; the text lists all of its problems."""
