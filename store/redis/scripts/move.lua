-- Stands before scripts that move an account to another name, see rename.go.

-- parse_rename returns of what field rename holds the part that the record has ('to', 'from' or 'at') and the rename's
-- token, or nothing.
local function parse_rename(value)
  return string.match(value or '', '^(%a+) (%S+) ')
end

-- may_leave returns why an account cannot leave its name, or nil.
local function may_leave(record, now, player, epoch)
  local id, there, node, lease_until, rename = unpack(redis.call('HMGET', record,
    'id', 'epoch', 'lease_node', 'lease_until', 'rename'))
  if rename then
    return {'renaming'}
  end
  if id ~= player then
    return {'missing'}
  end
  if there and not is_count(there) then
    return {'damaged', 'epoch'}
  end
  if (there or '0') ~= epoch then
    return {'changed'}
  end
  if node and not is_count(lease_until) then
    return {'damaged', 'lease_until'}
  end
  if node and now_ms(now) < tonumber(lease_until) then
    return {'held'}
  end
  return nil
end

-- pack writes fields and values as one text, each behind its length.
local function pack(fields)
  local parts = {}
  for i, text in ipairs(fields) do
    parts[i] = #text .. ':' .. text
  end
  return table.concat(parts)
end

-- unpack_record returns what pack has written as a table by field, or nil.
local function unpack_record(packed)
  local texts, at = {}, 1
  while at <= #packed do
    local length, first = string.match(packed, '^(%d+):()', at)
    if not length or first + length - 1 > #packed then
      return nil
    end
    at = first + length
    texts[#texts + 1] = string.sub(packed, first, at - 1)
  end
  local record = {}
  for i = 1, #texts, 2 do
    record[texts[i]] = texts[i + 1] or ''
  end
  return record.id and record
end

-- write_record gives a key these fields, and no others.
local function write_record(key, record)
  local fields = {}
  for field, value in pairs(record) do
    fields[#fields + 1] = field
    fields[#fields + 1] = value
  end
  redis.call('DEL', key)
  redis.call('HSET', key, unpack(fields))
end

