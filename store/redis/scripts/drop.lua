-- Removes a task.
--
-- KEYS: 1 the data of all tasks, 2 when those of the kind are due. ARGV: 1 the kind, 2 the id.
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('HDEL', KEYS[1], ARGV[1] .. ' ' .. ARGV[2])
return {'dropped'}
