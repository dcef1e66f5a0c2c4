-- Drops the claim of a name whose account was deleted, or whose hold has ended, unless another account has renewed it.
--
-- KEYS: what is under the look. ARGV: 1 the name, 2 when the claim was made.
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then
  redis.call('HDEL', KEYS[1], ARGV[1])
end
return {'dropped'}
