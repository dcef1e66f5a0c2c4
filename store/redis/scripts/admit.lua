-- Creates a record if asked to, and claims its lease.
--
-- KEYS: the record. ARGV: 1 now, 2 lease duration, 3 node, 4 run, 5 attempt, 6 id, 7 password hash, 8 new hash or
-- empty, 9 version of a record whose hash was replaced; to create also: 10 attempt of the registration, then field and
-- value of all that the new record holds.
local record = KEYS[1]
local id, hash, made_by, fence, previous, node, run, attempt, lease_until = unpack(redis.call('HMGET', record,
  'id', 'password_hash', 'attempt', 'fence', 'previous_fence', 'lease_node', 'lease_run', 'lease_attempt',
  'lease_until'))

if ARGV[10] then
  if not id then
    redis.call('HSET', record, unpack(ARGV, 11))
    id, hash, fence = ARGV[6], ARGV[7], '0'
  elseif hash ~= ARGV[7] then
    if ARGV[10] ~= '' and ARGV[10] == made_by then
      return {'concurrent'}
    end
    return {'taken'}
  end
elseif id ~= ARGV[6] then
  return {'missing'}
end

local now = now_ms(ARGV[1])
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
  redis.call('HSET', record, 'lease_until', lease_until)
else
  -- A failover may forget the last claims. The clock keeps the next one from getting a number they had.
  previous = fence
  fence = decimal(math.max(tonumber(fence) + 1, now))
  redis.call('HSET', record, 'fence', fence, 'previous_fence', previous, 'saved', 0, 'lease_node', ARGV[3],
    'lease_run', ARGV[4], 'lease_attempt', ARGV[5], 'lease_until', lease_until)
end

if ARGV[8] ~= '' and hash == ARGV[7] then
  redis.call('HSET', record, 'password_hash', ARGV[8], 'account_version', ARGV[9])
  hash = ARGV[8]
end
local replaced = ARGV[8] ~= '' and hash == ARGV[8]

-- The character's fields stand in the order of characterFields in record.go.
return {'in', resumed and '1' or '0', replaced and '1' or '0', fence, previous or '0', lease_until,
  redis.call('HMGET', record,
    'id', 'username', 'zone', 'x', 'y', 'hp', 'xp', 'level', 'deaths', 'playtime_ms', 'character_created_at', 'data')}
