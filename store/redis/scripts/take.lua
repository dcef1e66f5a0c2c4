-- Takes the tasks of a kind that are due, and sets them aside for a while: answers until when, then id, due and
-- data of each.
--
-- KEYS: 1 the data of all tasks, 2 when those of the kind are due. ARGV: 1 now, 2 the kind, 3 how many at most, 4 for how
-- long.
local now = now_ms(ARGV[1])
local due = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', decimal(now), 'WITHSCORES', 'LIMIT', 0, ARGV[3])
local later = decimal(now + tonumber(ARGV[4]))
local answer = {'taken', later}
for i = 1, #due, 2 do
  local data = redis.call('HGET', KEYS[1], ARGV[2] .. ' ' .. due[i])
  if data then
    redis.call('ZADD', KEYS[2], later, due[i])
    answer[#answer + 1] = due[i]
    answer[#answer + 1] = decimal(tonumber(due[i + 1]))
    answer[#answer + 1] = data
  else
    redis.call('ZREM', KEYS[2], due[i]) -- what it was about was lost
  end
end
return answer
