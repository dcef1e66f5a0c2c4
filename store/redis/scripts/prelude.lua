-- Stands before every script.

-- now_ms returns the server's time in Unix milliseconds, or the time that a test has given.
local function now_ms(given)
  if given ~= '' then
    return tonumber(given)
  end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- decimal writes a whole number without an exponent.
local function decimal(number)
  return string.format('%.0f', number)
end

-- is_count reports whether a field holds a whole number that is not negative.
local function is_count(value)
  return value and string.match(value, '^%d+$') ~= nil
end

