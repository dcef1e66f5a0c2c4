-- Writes a character back, and ends the lease if asked to.
--
-- KEYS: the record. ARGV: 1 id, 2 fence, 3 number of the save, 4 '1' to release, then field and value of the character.
local record = KEYS[1]
local id, fence, saved, node = unpack(redis.call('HMGET', record, 'id', 'fence', 'saved', 'lease_node'))
if id == ARGV[1] and not is_count(fence) then
  return {'damaged', 'fence'}
end
if id ~= ARGV[1] or fence ~= ARGV[2] then
  return {'lost', id and '' or 'gone'}
end

local release = ARGV[4] == '1'
local function end_lease()
  if release and node then
    redis.call('HDEL', record, 'lease_node', 'lease_run', 'lease_attempt', 'lease_until', 'lease_epoch')
  end
end

-- A save that was given up as lost may still arrive, behind one that was sent after it.
local number, last = tonumber(ARGV[3]), tonumber(saved or '0') or 0
if number <= last then
  end_lease()
  return {number == last and 'saved' or 'older'}
end
if not node then
  return {release and 'released' or 'lost'}
end
redis.call('HSET', record, 'saved', ARGV[3], unpack(ARGV, 5))
end_lease()
return {'saved'}
