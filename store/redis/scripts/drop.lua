-- Removes a task, unless it is another than the one that was taken.
--
-- KEYS: 1 the data of all tasks, 2 when those of the kind are due. ARGV: 1 the kind, 2 the id, 3 until when the task is set
-- aside, empty for whichever there is.
local due = redis.call('ZSCORE', KEYS[2], ARGV[2])
if ARGV[3] ~= '' and due and tonumber(due) ~= tonumber(ARGV[3]) then
  return {'kept'}
end
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('HDEL', KEYS[1], ARGV[1] .. ' ' .. ARGV[2])
return {'dropped'}
