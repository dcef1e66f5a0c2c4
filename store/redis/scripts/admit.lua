-- Creates a record if asked to, and claims its lease. A record that could not be read afterwards is left as it is.
--
-- KEYS: the record. ARGV: 1 now, 2 lease duration, 3 node, 4 run, 5 attempt, 6 id, 7 password hash, 8 new hash or
-- empty, 9 version of a record whose hash was replaced, 10 epoch; to create also: 11 attempt of the registration, then
-- field and value of all that the new record holds.
local record = KEYS[1]

-- The character's fields come first, in the order of characterFields in record.go.
local fields = {
  'id', 'count', 'username', 'text', 'zone', 'text', 'x', 'real', 'y', 'real', 'hp', 'whole', 'xp', 'whole',
  'level', 'whole', 'deaths', 'whole', 'playtime_ms', 'whole', 'character_created_at', 'whole', 'data', 'text',
  'password_hash', 'text', 'attempt', 'text', 'fence', 'count', 'previous_fence', 'count?', 'epoch', 'count?',
  'disabled_until', 'count?', 'disabled_reason', 'text?', 'lease_node', 'text?', 'lease_run', 'text?',
  'lease_attempt', 'text?', 'lease_until', 'count?'}
local character_fields = 12
local names = {}
for i = 1, #fields, 2 do
  names[#names + 1] = fields[i]
end
local function read()
  return redis.call('HMGET', record, unpack(names))
end

local values = read()
if not values[1] then
  if not ARGV[11] then
    return {'missing'}
  end
  redis.call('HSET', record, unpack(ARGV, 12))
  values = read()
end
local damaged = damage(fields, values)
local id = values[1]
local hash, made_by, fence, previous, epoch, disabled_until, disabled_reason, node, run, attempt, lease_until =
  unpack(values, character_fields + 1, #names)
if node and not lease_until then
  damaged = damaged or 'lease_until'
end
if damaged then
  return {'damaged', damaged}
end

if ARGV[11] and hash ~= ARGV[7] then
  if ARGV[11] ~= '' and ARGV[11] == made_by then
    return {'concurrent'}
  end
  return {'taken'}
elseif not ARGV[11] and id ~= ARGV[6] or (epoch or '0') ~= ARGV[10] then
  return {'missing'}
end

local now = now_ms(ARGV[1])
if disabled_until and now < tonumber(disabled_until) then
  return {'disabled', disabled_until, disabled_reason or ''}
end
local same_node = node == ARGV[3]
local resumed = same_node and run == ARGV[4] and attempt == ARGV[5]
local left_over = same_node and run ~= ARGV[4]
if node and tonumber(lease_until) > now + tonumber(ARGV[2]) then
  -- Claimed by a clock that was ahead. No lease is longer than the time from now that a claim gets.
  lease_until = decimal(now + tonumber(ARGV[2]))
  redis.call('HSET', record, 'lease_until', lease_until)
end
if node and now < tonumber(lease_until) and not resumed and not left_over then
  return {'held', node, id, fence}
end

lease_until = decimal(now + tonumber(ARGV[2]))
if resumed then
  redis.call('HSET', record, 'lease_until', lease_until, 'lease_epoch', epoch or '0')
else
  -- A failover may forget the last claims. The clock keeps the next one from getting a number they had.
  previous = fence
  fence = decimal(math.max(tonumber(fence) + 1, now))
  redis.call('HSET', record, 'fence', fence, 'previous_fence', previous, 'saved', 0, 'lease_node', ARGV[3],
    'lease_run', ARGV[4], 'lease_attempt', ARGV[5], 'lease_until', lease_until, 'lease_epoch', epoch or '0')
end

if ARGV[8] ~= '' and hash == ARGV[7] then
  redis.call('HSET', record, 'password_hash', ARGV[8], 'account_version', ARGV[9])
  hash = ARGV[8]
end
local replaced = ARGV[8] ~= '' and hash == ARGV[8]
return {'in', resumed and '1' or '0', replaced and '1' or '0', fence, previous or '0',
  {unpack(values, 1, character_fields)}}
