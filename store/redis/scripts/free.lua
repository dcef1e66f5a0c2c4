-- Stands before scripts that make accounts.

-- not_free returns why no account can be made of a name that has none: it is held for a player, or a rename to or from it
-- is under way. It returns nil where one can, and removes what is left of a hold that has ended.
local function not_free(record, now, rename, held_until)
  if rename then
    return {'renaming'}
  end
  if not held_until then
    return nil
  end
  if not is_count(held_until) then
    return {'damaged', 'held_until'}
  end
  if now_ms(now) < tonumber(held_until) then
    return {'kept'}
  end
  redis.call('DEL', record)
  return nil
end

