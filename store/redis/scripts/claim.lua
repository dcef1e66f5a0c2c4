-- Claims a look for the name of an account that is about to be made.
--
-- KEYS: what is under the look: names, and when each was claimed. ARGV: 1 now, 2 the name, 3 how many claims are to be
-- dropped if they have not been renewed, then name and time of each, for which there is no account, and then the names
-- that are held for the very player, and stay.
local now = now_ms(ARGV[1])
local own = 4 + 2 * tonumber(ARGV[3])
for i = 4, own - 1, 2 do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    redis.call('HDEL', KEYS[1], ARGV[i])
  end
end
local mine = {[ARGV[2]] = true}
for i = own, #ARGV do
  mine[ARGV[i]] = true
end
local others = {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if not mine[all[i]] then
    others[#others + 1] = all[i]
    others[#others + 1] = all[i + 1]
  end
end
if #others > 0 then
  return {'held', decimal(now), unpack(others)}
end
redis.call('HSET', KEYS[1], ARGV[2], decimal(now))
return {'claimed'}
