-- Changes the account in a record.
--
-- KEYS: the record. ARGV: 1 now, 2 id, 3 epoch, 4 the time until which the player must not be inside, 5 an attempt whose
-- session shall end or empty, 6 the revision of the devices that are replaced or empty, 7 the next one, 8 the devices,
-- 9 '1' to replace credentials, 10 those that are replaced, 11 the new ones, then field and value of what else is to
-- change.
local record = KEYS[1]
local id, epoch, fence, node, attempt, lease_until, revision, session, credentials, rename = unpack(redis.call('HMGET',
  record, 'id', 'epoch', 'fence', 'lease_node', 'lease_attempt', 'lease_until', 'devices_revision', 'session',
  'credentials', 'rename'))
if not id and rename then
  return {'renaming'}
end
if id ~= ARGV[2] then
  return {'missing'}
end
if ARGV[6] ~= '' and revision and not is_count(revision) then
  return {'damaged', 'devices_revision'}
end
local replaces = replace_devices(record, revision or '0', ARGV[6], ARGV[7], ARGV[8])
if (epoch or '0') ~= ARGV[3] or replaces == nil then
  return {'changed'}
end
local exchanges = replace_credentials(credentials, ARGV[9], ARGV[10], ARGV[11])
if exchanges == nil then
  return {'others', credentials or ''}
end
redis.call('HSET', record, unpack(ARGV, 12))
if exchanges then
  redis.call('HSET', record, 'credentials', ARGV[11])
end
if replaces then
  redis.call('HSET', record, 'devices', ARGV[8], 'devices_revision', ARGV[7])
end

local now = now_ms(ARGV[1])
local opened_by = attempt
if not node then
  opened_by = select(5, parse_session(session, fence, node))
end
if now >= tonumber(ARGV[4]) and (ARGV[5] == '' or opened_by ~= ARGV[5]) then
  return {'set'}
end
redis.call('HDEL', record, 'session')
if node and now < (tonumber(lease_until) or 0) then
  return {'held', node, id, fence}
end
return {'set'}
