-- Adds an event to the history of an account, unless it is there.
--
-- KEYS: the record. ARGV: 1 id of the player, 2 how many events of its sort are kept, 3 when it happened, 4 its sort, 's'
-- for a sign-in and 'e' for others, 5 its own id, 6 the rest.
--
-- A history is one text with a line for each event, the oldest first: when, sort, id and rest, apart by blanks. The rest
-- has no line break.
local id, rename, history = unpack(redis.call('HMGET', KEYS[1], 'id', 'rename', 'history'))
if not id and rename then
  return {'renaming'}
end
if id ~= ARGV[1] then
  return {'missing'}
end
history = history or ''
local lines, of_sort, oldest, place = {}, 0, nil, nil
local at, length = tonumber(ARGV[3]), 0
for line in string.gmatch(history, '[^\n]+') do
  length = length + #line + 1
  local when, sort, event = string.match(line, '^(%d+) ([se]) (%S+) {.*}$')
  if not when then
    return {'damaged', 'history'}
  end
  if event == ARGV[5] then
    return {'noted'}
  end
  if not place and tonumber(when) > at then
    place = #lines + 1
  end
  lines[#lines + 1] = line
  if sort == ARGV[4] then
    of_sort, oldest = of_sort + 1, oldest or #lines
  end
end
if length ~= #history then
  return {'damaged', 'history'}
end
place = place or #lines + 1
if of_sort >= tonumber(ARGV[2]) then
  if place <= oldest then
    return {'noted'} -- it is the oldest itself
  end
  table.remove(lines, oldest)
  place = place - 1
end
table.insert(lines, place, ARGV[3] .. ' ' .. ARGV[4] .. ' ' .. ARGV[5] .. ' ' .. ARGV[6])
redis.call('HSET', KEYS[1], 'history', table.concat(lines, '\n') .. '\n')
return {'noted'}
