-- Stands before scripts about a session that can be continued.

-- parse_session returns of what field session holds the fence and the epoch under which the session was opened, until
-- when it is parked ('0' while it is held), the session itself, and the attempt that has opened it. The first is nil
-- where there is none that can be continued: its fence is another once any login, also one of an older program, has
-- claimed the player, and one that is neither held nor parked was released by such a program. It is false where the value
-- makes no sense.
local function parse_session(value, fence, node)
  if not value then
    return nil
  end
  local under, epoch, parked, session, attempt = string.match(value, '^(%d+) (%d+) (%d+) (%S+) (.+)$')
  if not under then
    return false
  end
  if under ~= fence or not node and parked == '0' then
    return nil
  end
  return under, epoch, parked, session, attempt
end

local function format_session(fence, epoch, parked, session, attempt)
  return fence .. ' ' .. epoch .. ' ' .. parked .. ' ' .. session .. ' ' .. attempt
end

