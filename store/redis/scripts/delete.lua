-- Removes a record on which there is no live lease.
--
-- KEYS: the record. ARGV: 1 now.
local id, lease_until, rename = unpack(redis.call('HMGET', KEYS[1], 'id', 'lease_until', 'rename'))
if rename then
  return {'renaming'} -- what is left under the other name would bring the account back
end
if not id then
  return {'missing'}
end
if lease_until and now_ms(ARGV[1]) < (tonumber(lease_until) or 0) then
  return {'held'}
end
redis.call('DEL', KEYS[1])
return {'deleted', id}
