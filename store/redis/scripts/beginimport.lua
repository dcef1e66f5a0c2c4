-- Sets the ids up to a highest one aside.
--
-- KEYS: the counter. ARGV: 1 the highest id.

-- Ids go beyond what Lua's numbers can tell apart, so they are compared as the decimal strings they are.
local function less(a, b)
  if #a ~= #b then
    return #a < #b
  end
  return a < b
end

local last = redis.call('HGET', KEYS[1], 'last') or '0'
local imports = redis.call('HGET', KEYS[1], 'imports') or '0'
if not less(imports, ARGV[1]) then
  return {'set'}
end
if less(imports, last) then
  return {'used'}
end
redis.call('HSET', KEYS[1], 'last', ARGV[1], 'imports', ARGV[1])
return {'set'}
