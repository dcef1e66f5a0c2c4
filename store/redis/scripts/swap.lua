-- Gives a shared value in place of another.
--
-- KEYS: the value. ARGV: 1 the old value, empty for none, 2 the new one, 3 the greatest length of one.
local there = redis.call('HGET', KEYS[1], 'value')
if there and (#there == 0 or #there > tonumber(ARGV[3])) then
  return {'damaged', 'value'}
end
there = there or ''
if there == ARGV[2] then
  return {'swapped'} -- before: this is a repetition
end
if there ~= ARGV[1] then
  return {'other'}
end
redis.call('HSET', KEYS[1], 'value', ARGV[2])
return {'swapped'}
