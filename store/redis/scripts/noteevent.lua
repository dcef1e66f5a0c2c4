-- Adds an event to the history of an account, unless it is there.
--
-- KEYS: the record. ARGV: 1 id of the player, 2 how many events of its sort are kept, 3 when it happened, 4 its sort, 's'
-- for a sign-in and 'e' for others, 5 its own id, 6 the rest, 7 how many of the others may be operators' once there are
-- more than are kept.
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
local lines, of_sort, place = {}, {}, nil
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
end
if length ~= #history then
  return {'damaged', 'history'}
end
table.insert(lines, place or #lines + 1, ARGV[3] .. ' ' .. ARGV[4] .. ' ' .. ARGV[5] .. ' ' .. ARGV[6])
for i, line in ipairs(lines) do
  if string.match(line, '^%d+ ([se])') == ARGV[4] then
    of_sort[#of_sort + 1] = i
  end
end
if #of_sort > tonumber(ARGV[2]) then
  local goes = of_sort[1]
  if ARGV[4] == 'e' then
    local oldest, operators = {}, 0
    for _, i in ipairs(of_sort) do
      local read, rest = pcall(cjson.decode, string.match(lines[i], '{.*}$'))
      if not read then
        return {'damaged', 'history'}
      end
      local by = rest.by and 'operator' or 'player'
      oldest[by] = oldest[by] or i
      operators = operators + (rest.by and 1 or 0)
    end
    goes = operators > tonumber(ARGV[7]) and oldest.operator or oldest.player
  end
  table.remove(lines, goes)
end
redis.call('HSET', KEYS[1], 'history', table.concat(lines, '\n') .. '\n')
return {'noted'}
