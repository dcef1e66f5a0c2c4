-- Creates a record, unless there is one of the name.
--
-- KEYS: the record. ARGV: 1 now, 2 id, 3 password hash, then field and value of all that the new record holds.
local id, hash, rename, held_until = unpack(redis.call('HMGET', KEYS[1], 'id', 'password_hash', 'rename', 'held_until'))
if id == ARGV[2] and hash == ARGV[3] then
  return {'before'}
elseif id then
  return {'taken'}
end
local busy = not_free(KEYS[1], ARGV[1], rename, held_until)
if busy then
  return busy
end
redis.call('HSET', KEYS[1], unpack(ARGV, 4))
return {'created'}
