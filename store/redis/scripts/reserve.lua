-- Sets ids aside, and answers with the last of them, and whether the counter had to be found again.
--
-- KEYS: 1 the counter, 2 its copy. ARGV: 1 how many, 2 how many to skip if some may have been forgotten, 3 an id that is in
-- use, '0' for none, or nothing if the caller has not looked for one.

local last, imports, known = read_counter(ARGV[3])
if last == nil then
  return {'none'}
elseif not last then
  return {'damaged', 'last'}
end
local seen = redis.call('HGET', KEYS[1], 'history')
local now = history()
local new = known and last == '0'
if not known or last ~= redis.call('HGET', KEYS[1], 'last') then
  redis.call('HSET', KEYS[1], 'last', last, 'imports', imports)
end
if not new and (not known or not now or now ~= seen) then
  redis.call('HINCRBY', KEYS[1], 'last', ARGV[2])
end
redis.call('HINCRBY', KEYS[1], 'last', ARGV[1])
if now and now ~= seen then
  redis.call('HSET', KEYS[1], 'history', now)
end
write_copy()
-- Read, because the answer of HINCRBY may be more than Lua's numbers can tell apart.
return {'reserved', redis.call('HGET', KEYS[1], 'last'), known and '1' or '0'}
