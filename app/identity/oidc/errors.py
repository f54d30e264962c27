"""The errors of identity tokens. None carries the token, or anything that it says."""

from app.core.errors import FreezegateError
from app.yaml.problem import YamlFileError


class CredentialsError(FreezegateError):
    """An identity token is no good; the text says in which respect."""


class IssuerUnavailableError(FreezegateError):
    """The keys of the issuer can't be had, and none are known from before."""


class IdentityFileError(YamlFileError):
    """The file of issuers can't be used; the text names every place in it that is wrong."""
