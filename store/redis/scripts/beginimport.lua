-- Sets the ids up to a highest one aside.
--
-- KEYS: 1 the counter, 2 its copy. ARGV: 1 the highest id.
local last, imports = read_counter('0')
if not last then
  return {'damaged', 'last'}
end
if not less(imports, ARGV[1]) then
  return {'set'}
end
if less(imports, last) then
  return {'used'}
end
redis.call('HSET', KEYS[1], 'last', ARGV[1], 'imports', ARGV[1])
write_copy()
return {'set'}
