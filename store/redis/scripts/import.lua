-- Creates a record, unless there is one.
--
-- KEYS: the record. ARGV: 1 id, then field and value of all that the new record holds.
local id = redis.call('HGET', KEYS[1], 'id')
if id == ARGV[1] then
  return {'imported'}
elseif id then
  return {'taken'}
end
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
return {'created'}
