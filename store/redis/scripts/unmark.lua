-- Removes the mark of a rename under the new name: that the account has come from another, or a reservation of which
-- nothing came.
--
-- KEYS: the record of the new name. ARGV: 1 now, 2 the mark, 3 for how long a reservation stays.
local rename = redis.call('HGET', KEYS[1], 'rename')
if rename ~= ARGV[2] then
  return {'other'}
end
local at = tonumber(string.match(rename, '^from %S+ (%d+) ') or '')
local now = now_ms(ARGV[1])
if at and at <= now and now - at < tonumber(ARGV[3]) then
  return {'stays'}
end
redis.call('HDEL', KEYS[1], 'rename')
return {'removed'}
