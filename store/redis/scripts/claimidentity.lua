-- Claims an identity for a player, or frees it: answers who has it then, 0 for nobody.
--
-- KEYS: the identity. ARGV: 1 now, 2 the player, 0 to free it, 3 whom that player may replace, 0 for nobody, 4 for how
-- long a claim is left alone.
local has = redis.call('HMGET', KEYS[1], 'player', 'claimed_at')
local owner, at = has[1], has[2]
if (owner or at) and not (is_count(owner) and is_count(at)) then
  return {'damaged', is_count(owner) and 'claimed_at' or 'player'}
end
if ARGV[2] == '0' then
  if owner == ARGV[3] then
    redis.call('DEL', KEYS[1])
    owner = nil
  end
  return {'owner', owner or '0'}
end
local now = now_ms(ARGV[1])
if owner and owner ~= ARGV[2] and (owner ~= ARGV[3] or now - tonumber(at) < tonumber(ARGV[4])) then
  return {'owner', owner}
end
redis.call('HSET', KEYS[1], 'player', ARGV[2], 'claimed_at', decimal(now))
return {'owner', ARGV[2]}
