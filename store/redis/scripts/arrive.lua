-- Makes an account under its new name, of what has left the old one, if the name is still reserved for it.
--
-- KEYS: the record of the new name. ARGV: 1 the rename's token, 2 the old name, 3 the new name, 4 the version of a record
-- whose account was changed, 5 what has left.
local id, rename = unpack(redis.call('HMGET', KEYS[1], 'id', 'rename'))
local part, token = parse_rename(rename)
if token ~= ARGV[1] then
  return {'lost'}
end
if id then -- arrived before, or made by an older program, which does not know what a reservation is
  return {part == 'at' and 'arrived' or 'lost'}
end
local record = unpack_record(ARGV[5])
if not record then
  return {'damaged', 'moved'}
end
for _, field in ipairs({'lease_node', 'lease_run', 'lease_attempt', 'lease_until', 'lease_epoch', 'session',
  'held_for', 'held_until'}) do
  record[field] = nil
end
record.username = ARGV[3]
record.epoch = decimal(tonumber(record.epoch or '0') + 1)
record.account_version = ARGV[4]
record.rename = 'at ' .. ARGV[1] .. ' ' .. ARGV[2]
write_record(KEYS[1], record)
return {'arrived'}
