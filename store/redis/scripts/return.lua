-- Gives an account its old name back, as it was, when the new one is not to be had any more.
--
-- KEYS: the record of the old name. ARGV: 1 the rename's token.
local id, rename, moved = unpack(redis.call('HMGET', KEYS[1], 'id', 'rename', 'moved'))
local part, token = parse_rename(rename)
if part ~= 'to' or token ~= ARGV[1] then
  return {'other'}
end
local record = unpack_record(moved or '')
if id or not record then
  return {'damaged', 'moved'} -- an older program has made an account meanwhile; nothing is removed
end
write_record(KEYS[1], record)
return {'returned'}
