-- Keeps a name that has no account for one that is about to come from another name.
--
-- KEYS: the record of the new name. ARGV: 1 now, 2 id, 3 the rename's token, 4 the old name.
local id, rename, held_for, held_until = unpack(redis.call('HMGET', KEYS[1], 'id', 'rename', 'held_for', 'held_until'))
if id then
  return {rename and 'renaming' or 'taken'}
end
-- A reservation from the same name is of an attempt that was given up, or is it that of a repetition: either way a step
-- that comes late finds its token gone.
local from = string.match(rename or '', '^from %S+ %d+ (.*)$')
if rename and from ~= ARGV[4] then
  return {'renaming'}
end
if held_until and not is_count(held_until) then
  return {'damaged', 'held_until'}
end
local now = now_ms(ARGV[1])
if held_until and held_for ~= ARGV[2] and now < tonumber(held_until) then
  return {'taken'}
end
redis.call('HSET', KEYS[1], 'rename', 'from ' .. ARGV[3] .. ' ' .. decimal(now) .. ' ' .. ARGV[4])
return {'reserved'}
