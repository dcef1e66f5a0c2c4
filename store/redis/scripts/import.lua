-- Creates a record, unless there is one.
--
-- KEYS: the record. ARGV: 1 now, 2 id, then field and value of all that the new record holds.
local id, rename, held_until = unpack(redis.call('HMGET', KEYS[1], 'id', 'rename', 'held_until'))
if id == ARGV[2] then
  return {'imported'}
elseif id then
  return {'taken'}
end
local busy = not_free(KEYS[1], ARGV[1], rename, held_until)
if busy then
  return busy
end
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
return {'created'}
