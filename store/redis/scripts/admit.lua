-- Creates a record if asked to, and claims its lease. A record that could not be read afterwards is left as it is.
--
-- KEYS: the record. ARGV: 1 now, 2 lease duration, 3 node, 4 run, 5 attempt, 6 id, 7 password hash, 8 new hash or
-- empty, 9 version of a record whose account was changed, 10 epoch, 11 session or empty, 12 empty, or to continue the
-- session for how long after the last refresh of its lease that is possible, 13 and 14 node and run that are known to be
-- gone, or empty, 15 the revision of the devices that are replaced or empty, 16 the next one, 17 the devices, 18 '1' to
-- replace credentials, 19 those that are replaced, 20 the new ones; to create also: 21 attempt of the registration, then
-- field and value of all that the new record holds.
local record = KEYS[1]

-- The character's fields come first, in the order of characterFields in record.go.
local fields = {
  'id', 'count', 'username', 'text', 'zone', 'text', 'x', 'real', 'y', 'real', 'hp', 'whole', 'xp', 'whole',
  'level', 'whole', 'deaths', 'whole', 'playtime_ms', 'whole', 'character_created_at', 'whole', 'data', 'text',
  'numbers', 'numbers?',
  'password_hash', 'text', 'attempt', 'text', 'fence', 'count', 'previous_fence', 'count?', 'epoch', 'count?',
  'disabled_until', 'count?', 'disabled_reason', 'text?', 'lease_node', 'text?', 'lease_run', 'text?',
  'lease_attempt', 'text?', 'lease_until', 'count?', 'devices_revision', 'count?', 'session', 'text?',
  'credentials', 'text?', 'rename', 'text?', 'held_until', 'text?'}
local character_fields = 13
local names = {}
for i = 1, #fields, 2 do
  names[#names + 1] = fields[i]
end
local function read()
  return redis.call('HMGET', record, unpack(names))
end

local values = read()
if not values[1] then
  local _, rename, held_until = unpack(values, #names - 2, #names)
  if not ARGV[21] then
    return {rename and 'renaming' or 'missing'}
  end
  local busy = not_free(record, ARGV[1], rename, held_until)
  if busy then
    return busy
  end
  redis.call('HSET', record, unpack(ARGV, 22))
  values = read()
end
local damaged = damage(fields, values)
local id = values[1]
local hash, made_by, fence, previous, epoch, disabled_until, disabled_reason, node, run, attempt, lease_until, revision,
  session, credentials = unpack(values, character_fields + 1, #names)
epoch = epoch or '0'
if node and not lease_until then
  damaged = damaged or 'lease_until'
end
local continues = ARGV[12] ~= ''
local known, opened_under, parked, name, opened_by
if continues then
  known, opened_under, parked, name, opened_by = parse_session(session, fence, node)
  if known == false then
    damaged = damaged or 'session'
  end
end
if damaged then
  return {'damaged', damaged}
end

if ARGV[21] and hash ~= ARGV[7] then
  if ARGV[21] ~= '' and ARGV[21] == made_by then
    return {'concurrent'}
  end
  return {'taken'}
elseif not ARGV[21] and id ~= ARGV[6] or epoch ~= ARGV[10] then
  return {'missing'}
elseif continues and not (known and name == ARGV[11] and opened_under == epoch) then
  return {'missing'}
end

local now = now_ms(ARGV[1])
if disabled_until and now < tonumber(disabled_until) then
  return {'disabled', disabled_until, disabled_reason or ''}
end
local replaces = replace_devices(record, revision or '0', ARGV[15], ARGV[16], ARGV[17])
if replaces == nil then
  return {'changed'}
end
local exchanges = replace_credentials(credentials, ARGV[18], ARGV[19], ARGV[20])
if exchanges == nil then
  return {'others', credentials or ''}
end
local same_node = node == ARGV[3]
local here = same_node and run == ARGV[4]
local resumed = here and (continues or attempt == ARGV[5])
local left_over = same_node and not here or node and node == ARGV[13] and run == ARGV[14]
if node and tonumber(lease_until) > now + tonumber(ARGV[2]) then
  -- Claimed by a clock that was ahead. No lease is longer than the time from now that a claim gets.
  lease_until = decimal(now + tonumber(ARGV[2]))
  redis.call('HSET', record, 'lease_until', lease_until)
end
if node and now < tonumber(lease_until) and not resumed and not left_over then
  return {'held', node, id, fence, run or ''}
end
if continues then
  local ends = node and tonumber(lease_until) - tonumber(ARGV[2]) + tonumber(ARGV[12]) or tonumber(parked)
  if not resumed and now >= ends then
    return {'missing'}
  end
end

lease_until = decimal(now + tonumber(ARGV[2]))
if resumed then
  redis.call('HSET', record, 'lease_until', lease_until, 'lease_epoch', epoch)
else
  -- A failover may forget the last claims. The clock keeps the next one from getting a number they had.
  previous = fence
  fence = decimal(math.max(tonumber(fence) + 1, now))
  attempt = continues and opened_by or ARGV[5]
  local claim = {'fence', fence, 'previous_fence', previous, 'saved', 0, 'lease_node', ARGV[3],
    'lease_run', ARGV[4], 'lease_attempt', attempt, 'lease_until', lease_until, 'lease_epoch', epoch}
  if ARGV[11] ~= '' then
    claim[#claim + 1] = 'session'
    claim[#claim + 1] = format_session(fence, epoch, '0', ARGV[11], attempt)
  elseif session then
    redis.call('HDEL', record, 'session')
  end
  redis.call('HSET', record, unpack(claim))
end

if replaces then
  redis.call('HSET', record, 'devices', ARGV[17], 'devices_revision', ARGV[16], 'account_version', ARGV[9])
end
if exchanges then
  redis.call('HSET', record, 'credentials', ARGV[20])
end
if ARGV[18] ~= '' then
  redis.call('HSET', record, 'account_version', ARGV[9])
end
if ARGV[8] ~= '' and hash == ARGV[7] then
  redis.call('HSET', record, 'password_hash', ARGV[8], 'account_version', ARGV[9])
  hash = ARGV[8]
end
local replaced = ARGV[8] ~= '' and hash == ARGV[8]
return {'in', resumed and '1' or '0', replaced and '1' or '0', fence, previous or '0', attempt,
  {unpack(values, 1, character_fields)}}
