-- Removes a record that nobody has a live lease on.
--
-- KEYS: the record. ARGV: 1 now.
local id, fence, lease_until = unpack(redis.call('HMGET', KEYS[1], 'id', 'fence', 'lease_until'))
if not id then
  return {'missing'}
end
local now = now_ms(ARGV[1])
if lease_until and now < tonumber(lease_until) then
  return {'held'}
end
redis.call('DEL', KEYS[1])
return {'deleted', id, fence, decimal(now)}
