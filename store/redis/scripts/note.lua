-- Notes under a look the name of an account that is made whatever it looks like, unless there are enough to keep the look
-- from players.
--
-- KEYS: what is under the look. ARGV: 1 now, 2 the name, 3 how many are enough.
if redis.call('HLEN', KEYS[1]) < tonumber(ARGV[3]) or redis.call('HEXISTS', KEYS[1], ARGV[2]) == 1 then
  redis.call('HSET', KEYS[1], ARGV[2], decimal(now_ms(ARGV[1])))
end
return {'noted'}
