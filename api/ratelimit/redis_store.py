"""Rate limit store in Redis, for processes on several machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import redis
from redis.client import Pipeline

from api.ratelimit.buckets import SECOND_US, RateLimit
from api.ratelimit.store import LimitStoreUnavailable, TakeResult, ThrottleRule, ThrottleState

SOCKET_TIMEOUT_S = 0.25
# KEYS: the buckets; ARGV: 1 to take or 0 to peek, then step and depth of each. Returns whether all had a unit, the
# time, then each bucket's time, '' for an unused one. The clock is that of Redis, which all machines share;
# microseconds since 1970 stay exact in Lua's numbers until the year 2255.
_SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local moments, given = {}, true
local stored = redis.call('MGET', unpack(KEYS))
for i = 1, #KEYS do
  local step, depth = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local full_at = math.min(math.max(tonumber(stored[i] or '0'), now), now + depth)
  moments[i] = full_at + step
  if moments[i] > now + depth then given = false end
end
local taking = given and ARGV[1] == '1'
local answer = {given and 1 or 0, string.format('%.0f', now)}
for i = 1, #KEYS do
  if taking then
    local text = string.format('%.0f', moments[i])
    redis.call('SET', KEYS[i], text, 'PX', math.ceil((moments[i] - now) / 1000) + 1000)
    answer[i + 2] = text
  else
    answer[i + 2] = stored[i] or ''
  end
end
return answer
"""


class RedisLimitStore:
    """One client with a connection pool, which connects on first use."""

    def __init__(self, url: str, *, prefix: str = "renderowl:limit:") -> None:
        """url: `redis://` or `rediss://`; prefix: of every key."""
        self._client = redis.Redis.from_url(
            url, socket_timeout=SOCKET_TIMEOUT_S, socket_connect_timeout=SOCKET_TIMEOUT_S, decode_responses=True
        )
        self._prefix = prefix
        self._script = self._client.register_script(_SCRIPT)

    def take(self, limits: Sequence[RateLimit]) -> TakeResult:
        """Take one unit from all buckets, or from none."""
        return self._run(limits, take=True)

    def peek(self, limits: Sequence[RateLimit]) -> TakeResult:
        """Return the state of buckets."""
        return self._run(limits, take=False)

    def record_failure(self, subject: str, rule: ThrottleRule) -> int:
        """Count an attempt before it is made; return for how many microseconds it is refused, 0 if it may proceed."""
        name = f"{self._prefix}{subject}"
        wait_us = 0

        def change(pipe: Pipeline) -> None:
            nonlocal wait_us
            stored = cast("list[str | None]", pipe.hmget(name, ["failures", "blocked_until", "expires_at"]))
            seconds, microseconds = pipe.time()
            now = seconds * SECOND_US + microseconds
            before = ThrottleState(*(int(value or 0) for value in stored)) if stored[0] else None
            after, wait_us = rule(before, now)
            pipe.multi()
            if after is not None and not wait_us:
                values: dict[Any, Any] = {
                    "failures": after.failures,
                    "blocked_until": after.blocked_until_us,
                    "expires_at": after.expires_at_us,
                }
                pipe.hset(name, mapping=values)
                pipe.pexpireat(name, after.expires_at_us // 1000 + 1)

        try:
            self._client.transaction(change, name)
        except redis.RedisError as error:
            raise LimitStoreUnavailable(str(error)) from error
        return wait_us

    def reset(self, subject: str) -> None:
        """Delete the failed attempts of a subject."""
        try:
            self._client.delete(f"{self._prefix}{subject}")
        except redis.RedisError as error:
            raise LimitStoreUnavailable(str(error)) from error

    def _run(self, limits: Sequence[RateLimit], *, take: bool) -> TakeResult:
        values: list[int] = [int(take)]
        for limit in limits:
            values += (limit.step_us, limit.policy.depth_us)
        try:
            answer: Any = self._script(keys=[f"{self._prefix}{limit.partition}" for limit in limits], args=values)
        except redis.RedisError as error:
            raise LimitStoreUnavailable(str(error)) from error
        moments = [int(text) if text else None for text in answer[2:]]
        return TakeResult(bool(answer[0]), int(answer[1]), moments)
