-- Removes what is left of a hold that has ended.
--
-- KEYS: the record. ARGV: 1 now. The answer is held for a name that still is.
local id, rename, held_until = unpack(redis.call('HMGET', KEYS[1], 'id', 'rename', 'held_until'))
if id or rename or not is_count(held_until) then
  return {'other'}
end
if now_ms(ARGV[1]) < tonumber(held_until) then
  return {'held'}
end
redis.call('DEL', KEYS[1])
return {'swept'}
