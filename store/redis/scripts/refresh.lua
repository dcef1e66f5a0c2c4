-- Extends a lease, also one that has run out but that nobody has claimed since.
--
-- KEYS: the record. ARGV: 1 now, 2 lease duration, 3 node, 4 run, 5 id, 6 fence.
local record = KEYS[1]
local id, fence, node, run = unpack(redis.call('HMGET', record, 'id', 'fence', 'lease_node', 'lease_run'))
if id ~= ARGV[5] or fence ~= ARGV[6] or not node then
  return {'lost'}
end
if node ~= ARGV[3] or run ~= ARGV[4] then
  redis.call('HSET', record, 'saved', 0) -- the numbers of saves are the process's own
end
local lease_until = decimal(now_ms(ARGV[1]) + tonumber(ARGV[2]))
redis.call('HSET', record, 'lease_node', ARGV[3], 'lease_run', ARGV[4], 'lease_until', lease_until)
return {'refreshed', lease_until}
