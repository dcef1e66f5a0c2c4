-- Stands before scripts that replace credentials.

-- replace_credentials tells whether credentials shall be written in place of others, which is not so where they are the
-- new ones already. It is nil if they are neither. They are compared as they are stored.
local function replace_credentials(there, asked, replaces, credentials)
  there = there or ''
  if asked == '' or there == credentials then
    return false
  end
  if there ~= replaces then
    return nil
  end
  return true
end

