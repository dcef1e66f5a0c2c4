-- Says who has a live lease.
--
-- KEYS: the record. ARGV: 1 now.
local id, fence, node, lease_until = unpack(redis.call('HMGET', KEYS[1], 'id', 'fence', 'lease_node', 'lease_until'))
if not node then
  return {'out'}
end
local ends = tonumber(lease_until or '')
if not ends then
  return {'damaged', 'lease_until'}
end
if now_ms(ARGV[1]) >= ends then
  return {'out'}
end
return {'held', node, id, fence, lease_until}
