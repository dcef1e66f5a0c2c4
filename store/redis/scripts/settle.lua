-- Ends what is left of a rename under the old name, when the account is under the new one.
--
-- KEYS: the record of the old name. ARGV: 1 now, 2 the rename's token. The answer is held for a name that stays held.
local id, rename, held_until = unpack(redis.call('HMGET', KEYS[1], 'id', 'rename', 'held_until'))
local part, token = parse_rename(rename)
local held = not id and now_ms(ARGV[1]) < (tonumber(held_until) or 0)
if part ~= 'to' or token ~= ARGV[2] then
  return {held and 'held' or 'settled'}
end
if id then -- an older program has made an account meanwhile
  redis.call('HDEL', KEYS[1], 'rename', 'moved', 'held_for', 'held_until')
elseif held then
  redis.call('HDEL', KEYS[1], 'rename', 'moved')
else
  redis.call('DEL', KEYS[1])
end
return {held and 'held' or 'settled'}
