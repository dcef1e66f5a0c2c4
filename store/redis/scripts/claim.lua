-- Claims a look for the name of an account that is about to be made.
--
-- KEYS: what is under the look: names, and when each was claimed. ARGV: 1 now, 2 the name, then name and time of each
-- claim for which there is no account, to be dropped if it has not been renewed.
local now = now_ms(ARGV[1])
for i = 3, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    redis.call('HDEL', KEYS[1], ARGV[i])
  end
end
local others = {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if all[i] ~= ARGV[2] then
    others[#others + 1] = all[i]
    others[#others + 1] = all[i + 1]
  end
end
if #others > 0 then
  return {'held', decimal(now), unpack(others)}
end
redis.call('HSET', KEYS[1], ARGV[2], decimal(now))
return {'claimed'}
