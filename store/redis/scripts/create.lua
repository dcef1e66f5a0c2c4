-- Creates a record, unless there is one of the name.
--
-- KEYS: the record. ARGV: 1 id, 2 password hash, then field and value of all that the new record holds.
local id, hash = unpack(redis.call('HMGET', KEYS[1], 'id', 'password_hash'))
if id == ARGV[1] and hash == ARGV[2] then
  return {'before'}
elseif id then
  return {'taken'}
end
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
return {'created'}
