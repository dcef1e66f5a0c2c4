-- Answers when a task is due, and its data.
--
-- KEYS: 1 the data of all tasks, 2 when those of the kind are due. ARGV: 1 the kind, 2 the id.
local due, data = redis.call('ZSCORE', KEYS[2], ARGV[2]), redis.call('HGET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2])
if not due or not data then
  return {'missing'}
end
return {'planned', decimal(tonumber(due)), data}
