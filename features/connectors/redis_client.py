"""A client of one Redis or of a Redis cluster, and what its faults mean: which pass, and are waited out, and which do not.

redis-py would retry by itself, ten times, whatever the command; here every wait is counted against one limit.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import RedisClusterException
from redis.retry import Retry

from contracts.errors import HeadwaterError, SettingsInvalid, TransientError
from features.redis_access import RedisAccess

T = TypeVar("T")

FAULTS = (redis.RedisError, RedisClusterException, OSError)
_PASSING = (
    redis.ConnectionError,
    redis.TimeoutError,
    redis.exceptions.ClusterError,
    redis.exceptions.TryAgainError,
    redis.exceptions.AskError,
    redis.ReadOnlyError,
    RedisClusterException,
    OSError,
)
"""Faults of a server that starts, fails over, is moved, or is away. Some of them never pass: `_lasting` knows those."""
_REFUSED = (redis.AuthenticationError, redis.exceptions.AuthorizationError, redis.exceptions.NoPermissionError)
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.02, 0.5


def connected(access: RedisAccess) -> Any:
    """Return a client for the place. Of a cluster it asks at once who holds what, and so may fail like any command."""
    options = {"socket_timeout": access.wait_seconds, "socket_connect_timeout": access.wait_seconds, **access.options}
    # RESP2: the third version brings nothing to what is asked here, and its handshake asks for what old servers lack.
    options = {"protocol": 2, **options}
    if access.cluster:
        nodes = [ClusterNode(host, port) for host, port in access.nodes]
        return RedisCluster(startup_nodes=nodes, retry=Retry(NoBackoff(), 0), **options)
    [(host, port)] = access.nodes
    return redis.Redis(host=host, port=port, retry=Retry(NoBackoff(), 0), **options)


def answered(access: RedisAccess, call: Callable[[], T]) -> T:
    """Return what the call does, trying again while a fault may pass: at most `wait_seconds` long, and once in any case.

    The call may have been carried out although its answer was lost: hand over only what may be done twice. Raises
    TransientError where Redis is still away then, SettingsInvalid where it refuses us.
    """
    deadline = time.monotonic() + access.wait_seconds
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            return call()
        except FAULTS as error:
            if not isinstance(error, _PASSING) or _lasting(error) or time.monotonic() + pause >= deadline:
                raise translated(access, error) from error
        # Two that fail together should not come back together.
        time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  no secret
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


def translated(access: RedisAccess, error: BaseException) -> HeadwaterError:
    """Return our error for one of redis-py's, saying which setting to mend and nothing of what was sent."""
    if isinstance(error, _REFUSED):
        came = "Redis refuses this user a command" if "NOPERM" in str(error) or "permission" in str(error) else "Redis refuses us"
        return SettingsInvalid(
            came,
            expected="a user that may run HMGET, HGET, SCAN and EVAL (with HSET, HDEL, EXPIRE, PERSIST in it)",
            where=access.where,
            remedy="mend redis_username and redis_password in the settings, or the user's ACL",
        )
    if _lasting(error):
        return SettingsInvalid(
            "the certificate that Redis shows is not trusted",
            expected="one for this host, signed by the authority in redis_ca",
            where=access.where,
            remedy="mend redis_ca, or the host's name in redis",
        )
    if isinstance(error, _PASSING):
        return TransientError(
            f"Redis does not answer ({type(error).__name__}), waited {access.wait_seconds:g} s",
            where=access.where,
            remedy='start it, or mend `redis` in the settings (or online_store = "sqlite"); then the same command again',
        )
    code = str(error).split(" ", 1)[0]
    return TransientError(
        f"Redis answers with an error: {code if code.isupper() else type(error).__name__}",
        where=access.where,
        remedy="OOM: raise maxmemory; MISCONF: mend its disk; then the same command again",
    )


def _lasting(error: BaseException) -> bool:
    """Say whether a fault that looks like a lost connection is one that no waiting mends: a refusal, or a certificate."""
    if isinstance(error, _REFUSED):
        return True
    seen: BaseException | None = error
    while seen is not None:
        if "CERTIFICATE_VERIFY_FAILED" in str(seen):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
