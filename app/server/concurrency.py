"""A limit of concurrent long responses of a kind, in total and for each address."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus

from starlette.types import Scope

from app.server.problems import RefusedError
from app.server.rate_limit import network_of


class ConcurrencyLimit:
    """A counter of running responses that refuses more than the limit."""

    def __init__(self, kind: str, most: int, most_of_address: int, retry_after: int = 30) -> None:
        """Allow `most` in all, `most_of_address` for each address.

        Args:
            kind: the noun for the error text, in the plural.
            most: the limit in total.
            most_of_address: the limit of an address; for IPv6, of its network.
            retry_after: seconds after which to try again.
        """
        self._kind = kind
        self._most = most
        self._most_of_address = most_of_address
        self._headers = {"Retry-After": str(retry_after)}
        self._of_network: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._of_network.total()

    @contextlib.contextmanager
    def held(self, scope: Scope) -> Iterator[None]:
        """Count one more for the client of a request, for the length of the context.

        Raises:
            RefusedError: there are too many already.
        """
        client = scope.get("client")
        network = network_of(client[0] if client else "")
        if self._of_network[network] >= self._most_of_address:
            detail = f"too many {self._kind} from this address"
            raise RefusedError(HTTPStatus.TOO_MANY_REQUESTS, detail, headers=self._headers)
        if len(self) >= self._most:
            detail = f"too many {self._kind}"
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=self._headers)
        self._of_network[network] += 1
        try:
            yield
        finally:
            self._of_network[network] -= 1
            if not self._of_network[network]:
                del self._of_network[network]
