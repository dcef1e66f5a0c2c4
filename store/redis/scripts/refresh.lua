-- Extends a lease, also one that has run out but that no other has claimed since.
--
-- KEYS: the record. ARGV: 1 now, 2 lease duration, 3 node, 4 run, 5 id, 6 fence.
local record = KEYS[1]
local id, fence, node, run, epoch, lease_epoch, disabled_until = unpack(redis.call('HMGET', record,
  'id', 'fence', 'lease_node', 'lease_run', 'epoch', 'lease_epoch', 'disabled_until'))
if id == ARGV[5] and not is_count(fence) then
  return {'damaged', 'fence'}
end
if id ~= ARGV[5] or fence ~= ARGV[6] or not node then
  return {'lost', id and '' or 'gone'}
end
if node ~= ARGV[3] or run ~= ARGV[4] then
  redis.call('HSET', record, 'saved', 0) -- the numbers of saves are the process's own
end
local now = now_ms(ARGV[1])
redis.call('HSET', record, 'lease_node', ARGV[3], 'lease_run', ARGV[4], 'lease_until', decimal(now + tonumber(ARGV[2])))
-- The process that has disabled the account, or ended its sessions, may have died before it could tell the holder.
if (epoch or '0') ~= (lease_epoch or '0') or now < (tonumber(disabled_until or '0') or 0) then
  return {'unwelcome'}
end
return {'refreshed'}
