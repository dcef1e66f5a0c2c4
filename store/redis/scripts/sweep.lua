-- Removes what is left of a hold that has ended.
--
-- KEYS: the record. ARGV: 1 now.
local id, rename, held_until = unpack(redis.call('HMGET', KEYS[1], 'id', 'rename', 'held_until'))
if not id and not rename and is_count(held_until) and now_ms(ARGV[1]) >= tonumber(held_until) then
  redis.call('DEL', KEYS[1])
end
return {'swept'}
