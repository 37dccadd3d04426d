"""The one way to the Redis that several hosts share.

Belongs here: making its client. Does not: what is kept there
(:mod:`~etl_dagster.resilience.breaker_store`, :mod:`~etl_dagster.resilience.limiter`,
:mod:`~etl_dagster.resilience.leases`). Redis is an optional dependency, imported when it is used.
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from redis import Redis

ANSWER_SECONDS: Final = 5.0
"""Redis answers within milliseconds; one that hangs is as good as none, and must not hang us."""
CHECK_AFTER_IDLE_SECONDS: Final = 15


class RedisUnusableError(RuntimeError):
    """ETL_REDIS_URL is set and cannot be used; nothing goes on without what it asks for."""


def connect(url: str) -> "Redis":
    """Make the client of a Redis; nothing is asked of it yet.

    Args:
        url: `redis://[user:password@]host:port/number`, or `rediss://` for TLS.

    Raises:
        RedisUnusableError: the package is not installed, or the address is none.
    """
    try:
        from redis import Redis  # noqa: PLC0415  an optional dependency
    except ImportError:
        raise RedisUnusableError(
            "ETL_REDIS_URL is set, but the package redis is not installed:"
            " pip install 'etl-dagster[redis]'"
        ) from None
    try:
        return Redis.from_url(
            url,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
            health_check_interval=CHECK_AFTER_IDLE_SECONDS,
        )
    except ValueError:  # its message may quote the address, which may hold a password
        raise RedisUnusableError(
            "ETL_REDIS_URL is not the address of a Redis: expected redis://host:port/number,"
            " rediss:// for TLS, unix:// for a socket"
        ) from None


def address_of(client: "Redis") -> str:
    """Where a client's Redis is, for messages; without user and password."""
    known = client.connection_pool.connection_kwargs
    return str(known.get("path") or f"{known.get('host', '?')}:{known.get('port', '?')}")
