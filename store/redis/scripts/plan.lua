-- Plans tasks of one kind, as long as there is room.
--
-- KEYS: 1 the data of all tasks, 2 when those of the kind are due. ARGV: 1 how many tasks there are at most, 2 the kind,
-- then id, due and data of each.
local answer = {'planned'}
local count = redis.call('HLEN', KEYS[1])
redis.call('ZCARD', KEYS[2]) -- before anything is written: whether it is what it should be
for i = 3, #ARGV, 3 do
  local field = ARGV[2] .. ' ' .. ARGV[i]
  local there = redis.call('HEXISTS', KEYS[1], field) == 1
  if there or count < tonumber(ARGV[1]) then
    count = there and count or count + 1
    redis.call('HSET', KEYS[1], field, ARGV[i + 2])
    redis.call('ZADD', KEYS[2], ARGV[i + 1], ARGV[i])
    answer[#answer + 1] = '1'
  else
    answer[#answer + 1] = '0'
  end
end
return answer
