// What wrk is told to send, in its Lua. Requests that differ are made before the run, so that wrk is not what is measured.
import { hostOf, prefixOf, tenantHeader } from './scene.ts';

/** Prints what wrk counted as one line of JSON: its own text rounds, and has no p99.9. */
const report = `
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'report {"requests":%d,"us":%d,"p50":%d,"p99":%d,"p999":%d,"max":%d,' ..
    '"errors":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    latency.max, e.connect, e.read, e.write, e.status, e.timeout))
end
`;

/** Whatever host the URL names: it is this one. */
const loopback = `local lookup = wrk.lookup
wrk.lookup = function(_, service) return lookup("127.0.0.1", service) end
`;

/** A whole script: the host of every scene unless the requests bring their own, then what one workload adds. */
export function wrkScript(script: string): string {
  return `${loopback}wrk.headers["Host"] = "${hostOf(0)}"\n${script}\n${report}`;
}

const browserFields = {
  'User-Agent':
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36',
  Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
  'Accept-Language': 'en-GB,en;q=0.9,de;q=0.8',
  'Accept-Encoding': 'gzip, deflate, br, zstd',
  'Sec-Fetch-Mode': 'navigate',
  'Upgrade-Insecure-Requests': '1',
};

const browserHeaders = Object.entries(browserFields)
  .map(([name, value]) => `wrk.headers["${name}"] = "${value}"`)
  .join('\n');

/** The same head of 900 bytes again and again. */
export const browserHead = `${browserHeaders}
wrk.headers["Cookie"] = "${'session=0123456789abcdef; '.repeat(16)}"`;

/** Heads of the same size of which no two among four thousand agree in path, ids and cookies. */
export const differentHeads = `${browserHeaders}
${prepared(
  4096,
  `wrk.headers["Cookie"] = "session=" .. hex(128) .. "; visitor=" .. hex(64) .. "; consent=" .. hex(32)
    wrk.headers["traceparent"] = "00-" .. hex(32) .. "-" .. hex(16) .. "-01"
    wrk.path = "/tiny/" .. hex(24) .. "?item=" .. hex(12)`,
)}`;

export const post10k = 'wrk.method = "POST"\nwrk.body = string.rep("x", 10240)';

export const closingConnections = 'wrk.headers["Connection"] = "close"';

/** Any of the rules of kind `path`, on any of the hosts. */
export function randomPaths(hosts: number, paths: number): string {
  return prepared(
    10_000,
    `wrk.headers["Host"] = ${numbered(hostOf(0), hosts)}
    wrk.path = ${numbered(prefixOf(0), paths)}`,
  );
}

export function randomTenants(rules: number): string {
  return prepared(1000, `wrk.headers["${tenantHeader}"] = "t" .. math.random(0, ${rules - 1})`);
}

export function randomItems(rules: number): string {
  return prepared(
    10_000,
    `wrk.path = "/tiny/" .. math.random(0, 999999) .. "/r" .. math.random(0, ${rules - 1})`,
  );
}

/** A Lua expression: the text with one of `count` numbers at random in place of its 0. */
function numbered(text: string, count: number): string {
  return `"${text.replace('0', `" .. math.random(0, ${count - 1}) .. "`)}"`;
}

/** `count` requests, each after the statements of `vary`, sent in turn. The seed is fixed: all sides get the same. */
function prepared(count: number, vary: string): string {
  return `
local prepared, current = {}, 0
local function hex(length)
  local digits = {}
  for place = 1, length do digits[place] = string.format("%x", math.random(0, 15)) end
  return table.concat(digits)
end
function init()
  math.randomseed(20261121)
  for number = 1, ${count} do
    ${vary}
    prepared[number] = wrk.format()
  end
end
function request()
  current = current % ${count} + 1
  return prepared[current]
end
`;
}
