"""Token buckets that several processes share, in Redis or what speaks as it does."""

import logging
from time import monotonic

from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.limits.rate import OwnBuckets, Policy, Verdict

_log = logging.getLogger("upesi")

# By the clock of Redis, so that those of the processes need not agree. Answers how far ahead the client is.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local even = tonumber(redis.call('GET', KEYS[1]) or 0)
if even < now then even = now end
local ahead = even + ARGV[1] - now
if ahead <= ARGV[2] + 0.000001 then
    redis.call('SET', KEYS[1], string.format('%.6f', even + ARGV[1]), 'PX', math.ceil(ahead * 1000))
end
return string.format('%.6f', ahead)
"""
# A request waits for Redis this long at most.
_PATIENCE = 0.25
_PAUSE = 5.0


class SharedBuckets:
    """Where Redis does not answer, each process has buckets of its own for a while: no request fails for it."""

    def __init__(self, policy: Policy, url: str) -> None:
        self.policy = policy
        self._redis = Redis.from_url(url, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE)
        self._take = self._redis.register_script(_TAKE)
        self._own = OwnBuckets(policy)
        self._paused_until = 0.0

    async def take(self, client: str) -> Verdict:
        if monotonic() < self._paused_until:
            return await self._own.take(client)
        try:
            ahead = await self._take(keys=[f"upesi:rate:{client}"], args=[self.policy.interval, self.policy.window])
        except (RedisError, OSError, TimeoutError) as error:
            self._paused_until = monotonic() + _PAUSE
            _log.warning("the rate limit is kept in each process for a while: %s", type(error).__name__)
            return await self._own.take(client)
        return self.policy.verdict(float(ahead))

    async def close(self) -> None:
        await self._redis.aclose()
