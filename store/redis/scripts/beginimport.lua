-- Sets the ids up to a highest one aside.
--
-- KEYS: 1 the counter, 2 its copy. ARGV: 1 the highest id, 2 the greatest id that is known otherwise, '0' for none, or nothing if
-- the caller has not looked for one.
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
if last == '0' and ARGV[2] == '' then
  return {'none'}
end
-- A counter that has given out nothing has forgotten nothing: what comes after the import follows it without a gap.
local now = last == '0' and ARGV[2] == '0' and history()
if now then
  redis.call('HSET', KEYS[1], 'history', now)
end
redis.call('HSET', KEYS[1], 'last', ARGV[1], 'imports', ARGV[1])
write_copy()
return {'set'}
