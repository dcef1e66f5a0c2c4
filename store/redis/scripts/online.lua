-- Brings the set of players inside up to date. Whatever order the changes of several nodes arrive in, the set ends
-- the same: a lease is never shortened, and who has left is removed only if the lease that ended is the last one known.
--
-- KEYS: the set. ARGV: 1 now, then triples of 'in' or 'out', name, and the end of the lease.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', decimal(now_ms(ARGV[1])))
for i = 2, #ARGV, 3 do
  local name, lease_until = ARGV[i + 1], ARGV[i + 2]
  if ARGV[i] == 'in' then
    redis.call('ZADD', KEYS[1], 'GT', lease_until, name)
  else
    local known = redis.call('ZSCORE', KEYS[1], name)
    if known and tonumber(known) <= tonumber(lease_until) then
      redis.call('ZREM', KEYS[1], name)
    end
  end
end
return {'done'}
