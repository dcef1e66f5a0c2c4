-- Says what keeps a name, and what looks like it, from a player.
--
-- KEYS: the record. ARGV: 1 now, 2 the player's id, 0 for one without an account. The answer is account, held for another
-- player, own for a name that is held for this one, or free.
local id, held_for, held_until = unpack(redis.call('HMGET', KEYS[1], 'id', 'held_for', 'held_until'))
if id then
  return {'account'}
end
if not is_count(held_until) or now_ms(ARGV[1]) >= tonumber(held_until) then
  return {'free'}
end
return {held_for == ARGV[2] and 'own' or 'held'}
