-- Holds a name that has no account for a player. Of a hold for the same player the later end counts.
--
-- KEYS: the record. ARGV: 1 now, 2 the player's id, 3 until when. The answer is held, or over where the end has passed.
local id, rename, held_for, held_until = unpack(redis.call('HMGET', KEYS[1], 'id', 'rename', 'held_for', 'held_until'))
if rename then
  return {'renaming'}
elseif id then
  return {'taken'}
elseif held_until and not is_count(held_until) then
  return {'damaged', 'held_until'}
end
local now = now_ms(ARGV[1])
if held_until and now < tonumber(held_until) then
  if held_for ~= ARGV[2] then
    return {'taken'}
  elseif tonumber(held_until) >= tonumber(ARGV[3]) then
    return {'held'}
  end
elseif now >= tonumber(ARGV[3]) then
  return {'over'}
end
redis.call('HSET', KEYS[1], 'held_for', ARGV[2], 'held_until', ARGV[3])
return {'held'}
