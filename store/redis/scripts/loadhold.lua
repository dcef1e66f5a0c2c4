-- Says for whom a name is held, and until when.
--
-- KEYS: the record. ARGV: 1 now. The answer is held, or other where the name is an account's, or not held.
local id, held_for, held_until = unpack(redis.call('HMGET', KEYS[1], 'id', 'held_for', 'held_until'))
if id or not held_until and not held_for then
  return {'other'}
elseif not is_count(held_until) then
  return {'damaged', 'held_until'}
elseif now_ms(ARGV[1]) >= tonumber(held_until) then
  return {'other'}
elseif not is_count(held_for) then
  return {'damaged', 'held_for'}
end
return {'held', held_for, held_until}
