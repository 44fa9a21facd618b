"""Clients of a server by its URL."""

from modelfile.addresses import ServerAddress
from modelfile.stores.network.deadline import TIMEOUTS, Timeouts
from modelfile.stores.network.retry import BACKOFF, Backoff
from modelfile.stores.ollama.client import Client
from modelfile.stores.ollama.transport import Transport


def connect(url: str, *, key: str = "", backoff: Backoff = BACKOFF, timeouts: Timeouts = TIMEOUTS) -> Client:
    """Return a client of the server at an address."""
    return Client(Transport(ServerAddress.parse(url), key=key, backoff=backoff, timeouts=timeouts))
