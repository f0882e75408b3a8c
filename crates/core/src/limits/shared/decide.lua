-- Decides for all buckets of a request at once, on the server's clock; nothing is taken unless all have it.
--
-- A bucket of a rate is a hash: a = units that anybody may take (below zero: owed), m = the begun unit, t = the
-- time of both, microseconds. A pot of money has s:LEDGER:REPLICA = committed and paid by that process, whose
-- ledger that is, and b:LEDGER = what that ledger knows to have been spent and Redis does not. In both
-- l:REPLICA = a lease: units that the replica holds, what it has drawn from leases in all, number of its last
-- word, end.
--
-- Never over: what is there and what is out on lease are together at most the burst, and refill stops there. A
-- lease that ends without a word counts as used. In a pot it goes back, since what was paid is told in full.

local me, ttl, life, beat = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local HEAD, WIDTH = 4, 15

local new = 0
if beat == 'on' then
  new = redis.call('ZADD', KEYS[1], now, me)
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - life)
  redis.call('PEXPIRE', KEYS[1], math.ceil(life / 1000))
elseif beat == 'off' then
  redis.call('ZREM', KEYS[1], me)
end
local replicas = math.max(redis.call('ZCARD', KEYS[1]), 1)
-- Of what remains, what one replica may borrow.
local share = 1 / (replicas + 1)

-- Who is alive; asked for only where it matters.
local alive
local function lives(who)
  if not alive then
    alive = {}
    for _, name in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do alive[name] = true end
  end
  return who == me or alive[who]
end

local function whole(n) return string.format('%.0f', n) end

local function read(i)
  local at = HEAD + (i - 1) * WIDTH
  local function num(n) return tonumber(ARGV[at + n]) end
  local b = {
    key = KEYS[i + 1], money = ARGV[at + 1] == 'money', ledger = ARGV[at + 5], expire = num(6), seq = num(7),
    drawn = num(8), unreported = num(9), balance = num(10), committed = num(11), paid = num(12),
    need = num(13), want = num(14), withdraw = ARGV[at + 15] == '1',
    held = 0, others = 0, latest = now, gone = {}, fields = {}, spent = 0, all_paid = 0, known = 0,
  }
  if b.money then
    b.burst, b.base = num(2), num(4)
  else
    b.amount, b.per, b.burst = num(2), num(3), num(4)
  end
  local raw = redis.pcall('HGETALL', b.key)
  if raw.err then
    -- Somebody put something else here.
    redis.call('DEL', b.key)
    raw = {}
  end
  for n = 1, #raw, 2 do
    local name, value = raw[n], raw[n + 1]
    local kind, who = string.sub(name, 1, 2), string.sub(name, 3)
    if kind == 'l:' then
      local units, drawn, seq, ends = string.match(value, '^(%d+) (%-?%d+) (%d+) (%d+)$')
      units, ends = tonumber(units or 0), tonumber(ends or 0)
      b.held = b.held + units
      if ends <= now then
        table.insert(b.gone, name)
      elseif who == me then
        b.mine = { units = units, drawn = tonumber(drawn), seq = tonumber(seq) }
      else
        b.others = b.others + units
        if units > 0 then b.latest = math.max(b.latest, ends) end
      end
    elseif kind == 's:' then
      local committed, paid = string.match(value, '^(%-?%d+) (%-?%d+)$')
      committed, paid = tonumber(committed or 0), tonumber(paid or 0)
      local ledger, replica = string.match(who, '^(.*):([^:]*)$')
      if who == b.ledger .. ':' .. me then
        b.told = { committed = committed, paid = paid }
      else
        -- What a process held that is no more is held by nobody.
        b.spent = b.spent + (lives(replica) and committed or paid)
        b.all_paid = b.all_paid + paid
        if ledger == b.ledger then b.known = b.known + paid end
      end
    else
      b.fields[name] = tonumber(value)
    end
  end
  return b
end

-- Up to now, with the leases as they were until now: a lease that ended just now had its share till then.
local function refill(b)
  local f = b.fields
  b.a, b.m = f.a or b.burst, f.m or 0
  local room = b.burst - b.a - b.held
  if not f.t or room <= 0 then
    b.m = 0
    return
  end
  -- A clock that was set back refills nothing.
  local ticks = math.max(now - f.t, 0) * b.amount + b.m
  local units = math.floor(ticks / b.per)
  if units >= room then
    b.a, b.m = b.a + room, 0
  elseif ticks > 9e15 then
    -- Beyond exact numbers: rather one too few.
    b.a, b.m = b.a + math.max(units - 1, 0), 0
  else
    b.a, b.m = b.a + units, ticks - units * b.per
  end
end

-- What of the money is left, less what this replica holds.
local function count(b)
  local f = b.fields
  -- What this process's ledger knew at its beginning, and nobody has told: Redis is new, or has forgotten.
  local mark = 'b:' .. b.ledger
  local untold = b.base - b.known - (f[mark] or 0)
  if untold > 0 then f[mark] = (f[mark] or 0) + untold end
  local before = 0
  for name, value in pairs(f) do
    if string.sub(name, 1, 2) == 'b:' then before = before + value end
  end
  b.all_paid = b.all_paid + before + b.paid
  b.a = b.burst - b.spent - before - b.committed - b.others - b.units
end

-- Takes the replica's own word for what it has used since its last one.
local function report(b)
  b.fresh = true
  local owed = 0
  if b.mine and b.seq <= b.mine.seq then
    -- It has said something newer, in which the need of this one is counted.
    b.fresh, b.units, b.drawn, b.seq = false, b.mine.units, b.mine.drawn, b.mine.seq
    if b.told then b.committed, b.paid = b.told.committed, b.told.paid end
  elseif b.mine then
    b.units = b.mine.units - (b.drawn - b.mine.drawn)
    if b.units < 0 then b.units, owed = 0, -b.units end
  else
    -- Not known here, or not any more: what it holds is taken out again.
    b.units = math.max(b.balance, 0)
    owed = b.units + b.unreported
  end
  if b.money then
    count(b)
  else
    b.a = math.max(math.min(b.a - owed, b.burst - b.others - b.units), -b.burst)
  end
  b.kept = b.units
  if b.fresh and b.withdraw then b.a, b.units = b.a + b.units, 0 end
end

local function has(b)
  if b.need == 0 then return true end
  -- A pot that holds anything at all lets one more pass; what it needs is among the committed already.
  if b.money then return b.a + b.need > 0 end
  return b.need <= b.a
end

local function grant(b, most)
  local units = math.min(most, math.floor(math.max(b.a, 0)))
  if b.fresh and units > 0 then b.a, b.units = b.a - units, b.units + units end
end

-- Microseconds until it has what is needed, if nobody else takes it.
local function wait(b)
  if b.money then return 0 end
  local time = math.ceil(((b.need - b.a) * b.per - b.m) / b.amount)
  if b.need > b.burst - b.others then
    -- Not before others give back what they hold.
    time = math.max(time, b.latest - now + math.ceil(b.need * b.per / b.amount))
  end
  return math.max(time, 1)
end

local function write(b)
  local lease = table.concat({ whole(b.units), whole(b.drawn), whole(b.seq), whole(now + ttl) }, ' ')
  if #b.gone > 0 then redis.call('HDEL', b.key, unpack(b.gone)) end
  if b.money then
    local own = whole(b.committed) .. ' ' .. whole(b.paid)
    redis.call('HSET', b.key, 's:' .. b.ledger .. ':' .. me, own, 'l:' .. me, lease)
    local mark = 'b:' .. b.ledger
    if b.fields[mark] then redis.call('HSET', b.key, mark, whole(b.fields[mark])) end
    redis.call('PEXPIREAT', b.key, b.expire)
  else
    redis.call('HSET', b.key, 'a', whole(b.a), 'm', whole(b.m), 't', whole(now), 'l:' .. me, lease)
    -- Then it is full, and every lease over.
    local full = (b.burst - b.a) * b.per / b.amount + ttl
    redis.call('PEXPIRE', b.key, whole(math.ceil(full / 1000) + 1000))
  end
end

local buckets, ok = {}, 1
for i = 1, #KEYS - 1 do
  local b = read(i)
  if not b.money then refill(b) end
  report(b)
  b.has = has(b)
  if not b.has then ok = 0 end
  buckets[i] = b
end

local reply = { replicas, new, ok }
for _, b in ipairs(buckets) do
  local time = 0
  if ok == 1 then
    if not b.money then b.a = b.a - b.need end
    -- The whole slice, with what is held of it already, is a share of what remains.
    grant(b, math.min(b.want, math.floor(math.max(b.a + b.units, 0) * share)) - b.units)
  else
    if b.money then b.committed, b.a = b.committed - b.need, b.a + b.need end
    if b.has then grant(b, b.kept - b.units) else time = wait(b) end
  end
  write(b)
  for _, n in ipairs({ b.has and 1 or 0, b.units, b.a, b.others, time, b.all_paid }) do
    table.insert(reply, n)
  end
end
return reply
