-- Writes a character back, and ends the lease if asked to.
--
-- KEYS: the record. ARGV: 1 now, 2 id, 3 fence, 4 number of the save, 5 '1' to release, 6 for how long to park the
-- session then, '0' to end it, 7 '1' to replace credentials, 8 those that are replaced, 9 the new ones, 10 version of a
-- record whose account was changed, 11 the epoch that the account has to have then, from there on field and value of the
-- character, the numbers without fields of their own last.
local record = KEYS[1]
local id, fence, saved, node, session = unpack(redis.call('HMGET', record,
  'id', 'fence', 'saved', 'lease_node', 'session'))
if id == ARGV[2] and not is_count(fence) then
  return {'damaged', 'fence'}
end
if id ~= ARGV[2] or fence ~= ARGV[3] then
  return {'lost', id and '' or 'gone'}
end

local release = ARGV[5] == '1'
local function end_lease()
  if not release or not node then
    return
  end
  local known, epoch, _, name, attempt = parse_session(session, fence, node)
  if ARGV[6] == '0' or not known then
    redis.call('HDEL', record, 'lease_node', 'lease_run', 'lease_attempt', 'lease_until', 'lease_epoch', 'session')
    return
  end
  local parked = decimal(now_ms(ARGV[1]) + tonumber(ARGV[6]))
  redis.call('HDEL', record, 'lease_node', 'lease_run', 'lease_attempt', 'lease_until', 'lease_epoch')
  redis.call('HSET', record, 'session', format_session(fence, epoch, parked, name, attempt))
end

local credentials, epoch
if ARGV[7] ~= '' then
  credentials, epoch = unpack(redis.call('HMGET', record, 'credentials', 'epoch'))
end
local exchanges = replace_credentials(credentials, ARGV[7], ARGV[8], ARGV[9])

-- A save that was given up as lost may still arrive, behind one that was sent after it. One whose credentials are not
-- there, or whose lease is over, goes by that: it may come from another process than the last, which counts otherwise.
local number, last = tonumber(ARGV[4]), tonumber(saved or '0') or 0
if number <= last and exchanges == false and (node or ARGV[7] == '') then
  end_lease()
  return {number == last and 'saved' or 'older'}
end
if not node then
  if release and ARGV[6] == '0' and session then
    redis.call('HDEL', record, 'session')
  end
  return {release and 'released' or 'lost'}
end
if ARGV[7] ~= '' then
  if (epoch or '0') ~= ARGV[11] then
    return {'changed'}
  end
  if exchanges == nil then
    return {'others', credentials or ''}
  end
  redis.call('HSET', record, 'credentials', ARGV[9], 'account_version', ARGV[10])
end
local none = ARGV[#ARGV] == '{}' -- for which a record needs no memory
redis.call('HSET', record, 'saved', ARGV[4], unpack(ARGV, 12, none and #ARGV - 2 or #ARGV))
if none then -- comes last: a server without memory refuses a script at its first write only
  redis.call('HDEL', record, 'numbers')
end
end_lease()
return {'saved'}
