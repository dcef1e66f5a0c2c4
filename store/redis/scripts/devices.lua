-- Stands before scripts that replace devices.

-- replace_devices tells whether devices shall be written in place of those of a revision, which is '' to leave them as
-- they are. It is nil if what is there has another revision, unless that is the next one, with these very devices: then
-- they have been written before.
local function replace_devices(record, there, revision, next_revision, devices)
  if revision == '' or there == next_revision and (redis.call('HGET', record, 'devices') or '') == devices then
    return false
  end
  if there ~= revision then
    return nil
  end
  return true
end

