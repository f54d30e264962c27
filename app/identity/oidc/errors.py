"""The errors of identity tokens. None carries the token, or anything that it says."""

from app.core.errors import FreezegateError


class CredentialsError(FreezegateError):
    """An identity token is no good; the text says in which respect."""


class IssuerUnavailableError(FreezegateError):
    """The keys of the issuer can't be had, and none are known from before."""


class IdentityFileError(FreezegateError):
    """The file of issuers can't be read; the text names the place in it."""
