-- Changes the account in a record.
--
-- KEYS: the record. ARGV: 1 now, 2 id, 3 epoch, 4 the time until which the player must not be inside, then field and value
-- of what is to change.
local record = KEYS[1]
local id, epoch, fence, node, lease_until = unpack(redis.call('HMGET', record,
  'id', 'epoch', 'fence', 'lease_node', 'lease_until'))
if id ~= ARGV[2] then
  return {'missing'}
end
if (epoch or '0') ~= ARGV[3] then
  return {'changed'}
end
redis.call('HSET', record, unpack(ARGV, 5))
local now = now_ms(ARGV[1])
if node and now < tonumber(ARGV[4]) and now < (tonumber(lease_until) or 0) then
  return {'held', node, id, fence}
end
return {'set'}
