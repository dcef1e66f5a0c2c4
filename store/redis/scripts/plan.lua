-- Plans tasks of one kind, as long as there is room.
--
-- KEYS: 1 the data of all tasks, 2 when those of the kind are due. ARGV: 1 how many tasks there are at most, 2 the kind,
-- then id, due, data of each, and until when the one is set aside in whose place it comes, empty for whichever there is.
local answer = {'planned'}
local count = redis.call('HLEN', KEYS[1])
redis.call('ZCARD', KEYS[2]) -- before anything is written: whether it is what it should be
for i = 3, #ARGV, 4 do
  local field = ARGV[2] .. ' ' .. ARGV[i]
  local there = redis.call('HEXISTS', KEYS[1], field) == 1
  local due = ARGV[i + 3] ~= '' and (redis.call('ZSCORE', KEYS[2], ARGV[i]) or '0')
  if due and not (there and tonumber(due) == tonumber(ARGV[i + 3])) then
    answer[#answer + 1] = 'changed'
  elseif there or count < tonumber(ARGV[1]) then
    count = there and count or count + 1
    redis.call('HSET', KEYS[1], field, ARGV[i + 2])
    redis.call('ZADD', KEYS[2], ARGV[i + 1], ARGV[i])
    answer[#answer + 1] = '1'
  else
    answer[#answer + 1] = '0'
  end
end
return answer
