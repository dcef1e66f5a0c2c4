-- Adds records to the audit log behind the last one, if that is the one that the caller knows, or anywhere if there is
-- none and the caller says so.
--
-- KEYS: the log. ARGV: 1 the number of the last record that the caller knows, 2 the number after it, 3 how many records,
-- 4 "1" if an empty log takes them, then number and data of each.
local function number_of(entry)
  return entry and string.match(entry[1], '^(%d+)%-0$')
end
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local last = newest and number_of(newest) or '0'
if newest and last == '0' then
  return {'damaged', newest[1]}
end
if last == ARGV[1] or not newest and ARGV[4] == '1' then
  for i = 5, #ARGV, 2 do
    redis.call('XADD', KEYS[1], ARGV[i] .. '-0', 'data', ARGV[i + 1])
  end
  return {'appended'}
end
local there = redis.call('XRANGE', KEYS[1], ARGV[2] .. '-0', '+', 'COUNT', ARGV[3])
if #there ~= tonumber(ARGV[3]) then
  return {'other'}
end
for i, entry in ipairs(there) do
  if number_of(entry) ~= ARGV[2 * i + 3] or entry[2][1] ~= 'data' or entry[2][2] ~= ARGV[2 * i + 4] then
    return {'other'}
  end
end
return {'appended'} -- before: this is a repetition
