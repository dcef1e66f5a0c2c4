-- Stands before scripts that look at a whole record before they change it.

-- fits_numbers reports whether a value is a JSON object of numbers in the one form in which Go writes it: names in
-- ascending order, none of those that have fields of their own, and no number 0.
-- Bytes are compared one by one: what Lua makes of two strings depends on the locale of the server.
local function before(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then
      return x < y
    end
  end
  return #a < #b
end
local own_field = {hp = true, xp = true, level = true, deaths = true}
local fits
local function fits_numbers(value)
  local body, count, last = string.match(value, '^{(.*)}$'), 0, ''
  if not body or body == '' then
    return body ~= nil
  end
  for piece in string.gmatch(body .. ',', '(.-),') do
    local name, number = string.match(piece, '^"(%l[%l%d_]*)":(-?[1-9]%d*)$')
    if not name or #name > 32 or not before(last, name) or own_field[name] or not fits('whole', number) then
      return false
    end
    count, last = count + 1, name
  end
  return count <= 16
end

-- fits reports whether a value can be what a field holds: any text, a whole number of 64 bits, a count (a whole number that
-- is not negative), a real number as Go writes it, or numbers.
function fits(kind, value)
  if kind == 'text' then
    return true
  end
  if kind == 'numbers' then
    return fits_numbers(value)
  end
  if kind == 'real' then
    if value == 'NaN' or value == '+Inf' or value == '-Inf' then
      return true
    end
    local number = string.match(value, '^-?%d+%.?%d*$') or string.match(value, '^-?%d+%.?%d*e[+-]%d+$')
    number = number and tonumber(number)
    return number and -math.huge < number and number < math.huge
  end
  local sign, digits = string.match(value, '^(-?)(%d+)$')
  if not digits or kind == 'count' and sign ~= '' then
    return false
  end
  -- Beyond what Lua's numbers can tell apart, so compared as the string it is.
  return #digits < 19 or #digits == 19 and digits <= '9223372036854775807' or value == '-9223372036854775808'
end

-- damage returns the name of the first field of a record that is missing or holds what it cannot hold, or nil.
-- fields names each field and its kind in turn; a kind that ends in '?' may be missing. values has their values.
local function damage(fields, values)
  for i = 1, #fields, 2 do
    local value, kind, optional = values[(i + 1) / 2], string.match(fields[i + 1], '^(%a+)(%??)$')
    if value and not fits(kind, value) or not value and optional == '' then
      return fields[i]
    end
  end
  return nil
end

