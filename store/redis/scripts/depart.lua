-- Takes an account away from its name, and keeps all of it for the new one. From here on the rename goes through.
--
-- KEYS: the record of the old name. ARGV: 1 now, 2 id, 3 epoch, 4 what field rename shall say, 5 until when the name is
-- held.
if redis.call('HGET', KEYS[1], 'rename') == ARGV[4] then
  return {'left'} -- before: this is a repetition
end
local why = may_leave(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
if why then
  return why
end
local moved = pack(redis.call('HGETALL', KEYS[1]))
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'rename', ARGV[4], 'moved', moved, 'held_for', ARGV[2], 'held_until', ARGV[5])
return {'left'}
