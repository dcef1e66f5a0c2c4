-- Notes that a node is there, and answers with what is known of all of them: node, for how many milliseconds it has been
-- silent, and what it has said, in turn.
--
-- KEYS: the nodes, each with the time of its last beat, a blank, and what it has said. ARGV: 1 now, 2 node, or nothing
-- from who only asks, 3 what it says, 4 for how long a node is remembered, 5 how many are.
local now = now_ms(ARGV[1])
if ARGV[2] ~= '' then
  redis.call('HSET', KEYS[1], ARGV[2], decimal(now) .. ' ' .. ARGV[3])
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
local all = redis.call('HGETALL', KEYS[1])
local nodes = {}
for i = 1, #all, 2 do
  local at, said = string.match(all[i + 1], '^(%d+) (.*)$')
  local silence = at and math.max(0, now - tonumber(at))
  if not silence or silence >= tonumber(ARGV[4]) then
    redis.call('HDEL', KEYS[1], all[i]) -- what makes no sense is written anew by the next beat of its node
  else
    nodes[#nodes + 1] = {node = all[i], silence = silence, said = said}
  end
end
table.sort(nodes, function(a, b)
  if a.silence ~= b.silence then
    return a.silence < b.silence
  end
  return a.node < b.node
end)
local answer = {'nodes'}
for i, n in ipairs(nodes) do
  if i > tonumber(ARGV[5]) then
    redis.call('HDEL', KEYS[1], n.node)
  else
    answer[#answer + 1] = n.node
    answer[#answer + 1] = decimal(n.silence)
    answer[#answer + 1] = n.said
  end
end
return answer
