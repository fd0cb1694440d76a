-- Shows MetalBond sessions in Wireshark and tshark: docs/protocol.md says what the messages mean.
--
-- Copy it into the folder of personal Lua plugins (Help > About > Folders), or name it:
--
--   tshark -X lua_script:deploy/wireshark/metalbond.lua -i any -f 'tcp port 4711' -Y metalbond
--
-- It decodes TCP port 4711. For another port, use Decode As, or `-d tcp.port==5000,metalbond`.

local HEADER, MAX_PAYLOAD, VERSION, PORT = 4, 1188, 1, 4711
local ROOM = 32 -- bits of a uint32

local TYPES = {
    [1] = "HELLO",
    [2] = "KEEPALIVE",
    [3] = "SUBSCRIBE",
    [4] = "UNSUBSCRIBE",
    [5] = "UPDATE",
    [6] = "END_OF_TABLE",
    [7] = "GOODBYE",
    [8] = "REPORT",
}
local IP_VERSIONS = { [0] = "IPv4", [1] = "IPv6" }
local ACTIONS = { [0] = "ADD", [1] = "REMOVE" }
local HOP_TYPES = { [0] = "STANDARD", [1] = "NAT", [2] = "LOADBALANCER_TARGET" }

local metalbond = Proto("metalbond", "MetalBond")
local f = metalbond.fields
f.version = ProtoField.uint8("metalbond.version", "Version")
f.length = ProtoField.uint16("metalbond.length", "Payload length")
f.type = ProtoField.uint8("metalbond.type", "Type", base.DEC, TYPES)
f.payload = ProtoField.bytes("metalbond.payload", "Payload")
f.unknown = ProtoField.none("metalbond.unknown", "Field that this dissector does not know")

-- Fields of proto/metalbond.proto by message and number. `kind` says what the bytes are.
local function field(message, name, kind, values)
    local abbreviation = "metalbond." .. message .. "." .. name
    local made
    if kind == "number" then
        made = ProtoField.uint32(abbreviation, name, base.DEC, values)
    elseif kind == "bool" then
        made = ProtoField.bool(abbreviation, name)
    elseif kind == "hash" then
        made = ProtoField.uint64(abbreviation, name, base.HEX)
    elseif kind == "text" then
        made = ProtoField.string(abbreviation, name, base.UNICODE)
    elseif kind == "message" then
        made = ProtoField.none(abbreviation, name)
    else
        made = ProtoField.string(abbreviation, name)
    end
    f[message .. "_" .. name] = made
    return { name = name, kind = kind, field = made, values = values }
end

local DESTINATION = {
    [1] = field("destination", "ipVersion", "number", IP_VERSIONS),
    [2] = field("destination", "prefix", "address"),
    [3] = field("destination", "prefixLength", "number"),
}
local NEXT_HOP = {
    [1] = field("nextHop", "targetAddress", "address"),
    [2] = field("nextHop", "targetVNI", "number"),
    [3] = field("nextHop", "type", "number", HOP_TYPES),
    [4] = field("nextHop", "natPortRangeFrom", "number"),
    [5] = field("nextHop", "natPortRangeTo", "number"),
}
local VNI = { [1] = field("subscription", "vni", "number") }
local PAYLOADS = {
    [1] = {
        [1] = field("hello", "keepaliveInterval", "number"),
        [2] = field("hello", "isServer", "bool"),
        [16] = field("hello", "capabilities", "number"),
        [17] = field("hello", "agent", "text"),
        [18] = field("hello", "node", "text"),
        [19] = field("hello", "servingSeconds", "number"),
    },
    [3] = VNI,
    [4] = VNI,
    [5] = {
        [1] = field("update", "action", "number", ACTIONS),
        [2] = field("update", "vni", "number"),
        [3] = field("update", "destination", "message"),
        [4] = field("update", "nextHop", "message"),
    },
    [6] = { [1] = field("endOfTable", "vni", "number") },
    [8] = {
        [1] = field("report", "vni", "number"),
        [2] = field("report", "routes", "number"),
        [3] = field("report", "sum", "hash"),
        [4] = field("report", "installed", "message"),
    },
}
PAYLOADS[5][3].fields = DESTINATION
PAYLOADS[5][4].fields = NEXT_HOP
PAYLOADS[8][4].fields = {
    [1] = field("installed", "wanted", "number"),
    [2] = field("installed", "accepted", "number"),
    [3] = field("installed", "leftOut", "number"),
}

f.stream = ProtoField.bool("metalbond.hello.capabilities.stream", "STREAM", ROOM, nil, 0x1)
f.end_of_table = ProtoField.bool("metalbond.hello.capabilities.endOfTable", "END_OF_TABLE", ROOM, nil, 0x2)
f.goodbye = ProtoField.bool("metalbond.hello.capabilities.goodbye", "GOODBYE", ROOM, nil, 0x4)
f.report = ProtoField.bool("metalbond.hello.capabilities.report", "REPORT", ROOM, nil, 0x8)

local e = {
    version = ProtoExpert.new("metalbond.bad_version", "Not version 1: the session ends here",
        expert.group.MALFORMED, expert.severity.ERROR),
    length = ProtoExpert.new("metalbond.bad_length", "Longer than 1188 bytes: the session ends here",
        expert.group.MALFORMED, expert.severity.ERROR),
    type = ProtoExpert.new("metalbond.bad_type", "Unknown type: a peer that does not know it ends the session",
        expert.group.PROTOCOL, expert.severity.WARN),
    protobuf = ProtoExpert.new("metalbond.bad_protobuf", "The payload is no protobuf",
        expert.group.MALFORMED, expert.severity.ERROR),
}
metalbond.experts = { e.version, e.length, e.type, e.protobuf }

-- A varint's lowest 32 bits, and where it ends; nothing when it does not end.
local function varint(tvb, at)
    local value, factor = 0, 1
    for place = at, math.min(at + 9, tvb:len() - 1) do
        local byte = tvb(place, 1):uint()
        -- Exact in a double: 49 bits at most.
        if place < at + 7 then value = value + (byte % 128) * factor end
        factor = factor * 128
        if byte < 128 then return value % 2 ^ 32, place + 1 end
    end
end

-- Calls `each` with number, value and range of each field; false when the bytes are no protobuf.
local function read(tvb, each)
    local at = 0
    while at < tvb:len() do
        local begin, key, stop = at, varint(tvb, at)
        if not key then return false end
        local wire, number = key % 8, math.floor(key / 8)
        local value
        if wire == 0 then
            value, stop = varint(tvb, stop)
            if not value then return false end
        elseif wire == 1 or wire == 5 then
            local size = wire == 1 and 8 or 4
            if stop + size > tvb:len() then return false end
            value = tvb(stop, size)
            stop = stop + size
        elseif wire == 2 then
            local length
            length, stop = varint(tvb, stop)
            if not length or stop + length > tvb:len() then return false end
            value = length > 0 and tvb(stop, length) or ByteArray.new():tvb("empty")()
            value = length > 0 and value or nil
            stop = stop + length
        else
            return false
        end
        if stop > tvb:len() then return false end
        each(number, wire, value, tvb(begin, stop - begin))
        at = stop
    end
    return true
end

local function address(range)
    if range and range:len() == 4 then return tostring(range:ipv4()) end
    if range and range:len() == 16 then return tostring(range:ipv6()) end
    return range and tostring(range:bytes()) or ""
end

-- Adds a message's fields to the tree. Returns their values by name, and whether all of it could be read.
local function show(tvb, tree, fields)
    local values, is_whole = {}, true
    local ok = read(tvb, function(number, wire, value, range)
        local known = fields[number]
        if not known then
            tree:add(f.unknown, range):append_text(" (number " .. number .. ")")
        elseif known.kind == "message" and wire == 2 then
            local inner, subtree = {}, tree:add(known.field, range)
            if value then
                local complete
                inner, complete = show(value:tvb(), subtree, known.fields)
                is_whole = is_whole and complete
            end
            values[known.name] = inner
        elseif known.kind == "address" and wire == 2 then
            values[known.name] = address(value)
            tree:add(known.field, range, values[known.name])
        elseif known.kind == "text" and wire == 2 then
            values[known.name] = value and value:string(ENC_UTF_8) or ""
            tree:add(known.field, range, values[known.name])
        elseif known.kind == "hash" and wire == 1 then
            tree:add_le(known.field, value)
        elseif known.kind == "bool" and wire == 0 then
            values[known.name] = value ~= 0
            tree:add(known.field, range, value ~= 0)
        elseif known.kind == "number" and wire == 0 then
            values[known.name] = value
            local item = tree:add(known.field, range, value)
            if known.name == "capabilities" then
                item:add(f.stream, range, value)
                item:add(f.end_of_table, range, value)
                item:add(f.goodbye, range, value)
                item:add(f.report, range, value)
            end
        else
            is_whole = false
        end
    end)
    return values, ok and is_whole
end

-- A missing field has its type's first value.
local function summary(kind, values)
    if kind == 1 then
        local who = values.isServer and "server" or "client"
        local text = who .. ", " .. (values.keepaliveInterval or 0) .. " s"
        return values.node and text .. ", " .. values.node or text
    elseif kind == 3 or kind == 4 or kind == 6 then
        return "VNI " .. (values.vni or 0)
    elseif kind == 8 then
        local text = "VNI " .. (values.vni or 0) .. " " .. (values.routes or 0) .. " routes"
        local kernel = values.installed
        if not kernel then return text end
        return text .. ", " .. (kernel.accepted or 0) .. " of " .. (kernel.wanted or 0) .. " in the kernel"
    elseif kind == 5 then
        local prefix, hop = values.destination or {}, values.nextHop or {}
        local text = (ACTIONS[values.action or 0] or "?") .. " VNI " .. (values.vni or 0) .. " "
            .. (prefix.prefix or "?") .. "/" .. (prefix.prefixLength or 0) .. " via " .. (hop.targetAddress or "?")
        if (hop.targetVNI or 0) ~= 0 then text = text .. " target VNI " .. hop.targetVNI end
        if hop.type == 1 then
            text = text .. " NAT " .. (hop.natPortRangeFrom or 0) .. "-" .. (hop.natPortRangeTo or 0)
        elseif hop.type == 2 then
            text = text .. " LB"
        end
        return text
    end
    return ""
end

local function dissect_message(tvb, pinfo, tree)
    local kind = tvb(3, 1):uint()
    local name = TYPES[kind] or ("type " .. kind)
    local subtree = tree:add(metalbond, tvb(), "MetalBond " .. name)
    local version = subtree:add(f.version, tvb(0, 1))
    local length = subtree:add(f.length, tvb(1, 2))
    local shown_type = subtree:add(f.type, tvb(3, 1))
    if tvb(0, 1):uint() ~= VERSION then version:add_proto_expert_info(e.version) end
    if tvb(1, 2):uint() > MAX_PAYLOAD then length:add_proto_expert_info(e.length) end
    if not TYPES[kind] then shown_type:add_proto_expert_info(e.type) end
    local text = ""
    if PAYLOADS[kind] then
        local values, ok = {}, true
        if tvb:len() > HEADER then
            values, ok = show(tvb(HEADER):tvb(), subtree, PAYLOADS[kind])
        end
        if not ok then subtree:add_proto_expert_info(e.protobuf) end
        text = summary(kind, values)
    elseif tvb:len() > HEADER then
        subtree:add(f.payload, tvb(HEADER))
    end
    if text ~= "" then
        subtree:append_text(", " .. text)
        text = " " .. text
    end
    -- A segment may hold many messages, and each adds itself.
    local info = tostring(pinfo.cols.info)
    pinfo.cols.info:append((info ~= "" and ", " or "") .. name .. text)
    return tvb:len()
end

function metalbond.dissector(tvb, pinfo, tree)
    pinfo.cols.protocol = "MetalBond"
    pinfo.cols.info:clear()
    local length = function(header, _, offset) return HEADER + header(offset + 1, 2):uint() end
    dissect_tcp_pdus(tvb, tree, HEADER, length, dissect_message)
    return tvb:len()
end

DissectorTable.get("tcp.port"):add(PORT, metalbond)
