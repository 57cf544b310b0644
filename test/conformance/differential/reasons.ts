// Why Weft and Envoy differ, as data: each reason says which differences it covers. The first that does explains a difference.

import type { Difference } from './differences.ts';

/**
 * `safer`: Weft refuses or drops what can be used against somebody. `standard`: Weft does what the standard says. `default`: a
 * default of Envoy's that has no bearing on safety. `words`: the same outcome, told in other words.
 */
export type Verdict = 'safer' | 'standard' | 'default' | 'words';

export interface Reason {
  readonly id: string;
  readonly title: string;
  readonly verdict: Verdict;
  readonly why: string;
  readonly covers: (seen: Difference) => boolean;
}

/** Cases by name. */
function named(pattern: RegExp): (seen: Difference) => boolean {
  return ({ name }) => pattern.test(name);
}

/** Cases by name in which Weft refuses. */
function refused(pattern: RegExp): (seen: Difference) => boolean {
  const status = /^<\d+ (?:400|417|426|431|501|502) local$|^<\d+ reset |^goaway |^<\d+ unfinished|^closed$/;
  return ({ name, weft }) => pattern.test(name) && weft.some((line) => status.test(line));
}

/** Cases by name in which some line of Weft's is of that kind. */
function shows(pattern: RegExp, line: RegExp): (seen: Difference) => boolean {
  return ({ name, weft }) => pattern.test(name) && weft.some((one) => line.test(one));
}

/** Every line that differs is of that kind. */
function only(pattern: RegExp): (seen: Difference) => boolean {
  return ({ envoy, weft }) => [...envoy, ...weft].every((line) => pattern.test(line));
}

export const reasons: readonly Reason[] = [
  {
    id: 'log-words',
    title: 'Flags and statuses in the access log',
    verdict: 'words',
    why: `What happens is the same. Weft flags every refused request with \`DPE\`, Envoy only those that its codec refuses; a response that
breaks off is \`UC\` in Weft, \`UPE\` in Envoy; a tunnel that its client closes has no flag in Weft and \`DC\` in Envoy. Envoy has a line for
a request that never became one, and for a client that vanished during \`100 Continue\` with that status; Weft logs exchanges only.`,
    covers: only(/^log /),
  },
  {
    id: 'tells-why',
    title: 'The peer of an HTTP/2 connection is told what is wrong',
    verdict: 'standard',
    why: `RFC 9113 §5.4 wants GOAWAY before a connection ends by an error and RST_STREAM for an error of a stream. Envoy often just closes, and
sometimes names another error code.`,
    covers: only(/^(?:goaway |> GOAWAY |> RST_STREAM |log )/),
  },
  {
    id: 'stream-not-connection',
    title: 'An error of one HTTP/2 stream ends that stream',
    verdict: 'standard',
    why: `RFC 9113 §8.1.1 makes a malformed message an error of its stream. Envoy ends the whole connection, with all other requests on it,
unless \`override_stream_error_on_invalid_http_message\` is set. Floods of such streams end the connection in Weft too.`,
    covers: ({ envoy, weft }) =>
      weft.some((line) => /^<\d+ reset (?!NO_ERROR)/.test(line)) && weft.includes('open') && envoy.includes('closed'),
  },
  {
    id: 'chunks',
    title: 'Chunked bodies are read to the letter',
    verdict: 'safer',
    why: `A chunk size is one to sixteen hexadecimal digits, then CRLF; an extension is well formed and bounded; a chunk ends with CRLF (RFC 9112
§7.1). Two parsers that disagree about a chunk disagree about where the next request begins: that is request smuggling.`,
    covers: refused(/^(?:http1-framing: chunks|http1\/chunked|http1\/framing|http1-response: where a body ends)/),
  },
  {
    id: 'trailers',
    title: 'Trailers that frame or route are refused, those that authorize or belong to one hop are dropped',
    verdict: 'safer',
    why: `RFC 9110 §6.5.1. A trailer comes when policy has been decided; whoever merges it into the headers later, as servers do, must not
find other credentials, cookies or framing there.`,
    covers: named(/trailers|^http2-message: content: headers 1 end/),
  },
  {
    id: 'no-authority',
    title: 'HTTP/2 requests without authority',
    verdict: 'default',
    why: 'Both refuse them; Weft answers 400, Envoy ends the connection.',
    covers: shows(/^http2-/, /^<1 400 local$/),
  },
  {
    id: 'connect',
    title: 'CONNECT',
    verdict: 'safer',
    why: `RFC 9110 §9.3.6: the target is a host and a port above 0, there is no body, and a 2xx has no length. An upgrade inside CONNECT is not passed on.`,
    covers: named(/CONNECT/),
  },
  {
    id: 'body-in-http10',
    title: 'No chunks in HTTP/1.0',
    verdict: 'safer',
    why: 'RFC 9112 §6.1: Transfer-Encoding in an HTTP/1.0 message is faulty framing. In requests and in responses.',
    covers: refused(/HTTP\/1\.0.*Transfer-Encoding|coding in HTTP\/1\.0/),
  },
  {
    id: 'line-ends',
    title: 'Lines end with CRLF, once',
    verdict: 'safer',
    why: `A bare CR or LF, a folded line, a second empty line before a request: RFC 9112 §2.2 and §5.2 let a server refuse them, and parsers
that accept them accept different things. Envoy removes or joins them and goes on.`,
    covers: refused(
      /\\r[^\\]|[^r]\\n|^[^:]*: [^:]*: \\n|\\r\\n[ ]|\\r\\n\\t|fold|bare|LF|a CR |line folded|before a request line|second empty line/,
    ),
  },
  {
    id: 'host',
    title: 'One valid Host',
    verdict: 'safer',
    why: `RFC 9112 §3.2: a request has exactly one Host, which is a host and maybe a port (RFC 3986 §3.2.2). User information, lists, a port that
is no number or several values are what one server of a chain reads in one way and the next in another. Over HTTP/2, Host and
\`:authority\` must say the same (RFC 9113 §8.3.1).`,
    covers: refused(/Host|host|authorit|user information|port that is no number|http:\/\/u:p@|pseudo fields/i),
  },
  {
    id: 'hostless-http10',
    title: 'HTTP/1.0 needs no Host',
    verdict: 'standard',
    why: `It had none (RFC 9112 §3.2 asks HTTP/1.1 requests for it). Where \`accept_http_10\` is set, such a request takes the routes of the domain
\`*\`. Envoy wants \`default_host_for_http_10\`.`,
    covers: named(/without any header|HTTP\/1\.0 without Host/),
  },
  {
    id: 'request-line',
    title: 'Request lines have single spaces',
    verdict: 'safer',
    why: `\`method SP target SP HTTP/1.1\` (RFC 9112 §3), since other white space is read differently by others. A line without a version is
malformed, not a question of versions.`,
    covers: refused(/^http1\/request-line|^http1-request-line: versions/),
  },
  {
    id: 'connection-options',
    title: 'Connection names what may be removed',
    verdict: 'safer',
    why: `RFC 9110 §7.6.1: options are tokens, and a client must not make a proxy drop what frames a message or says who asked. What an upstream
names is for one hop as well, and is not sent on to the client. \`close\` wins over \`keep-alive\`.`,
    covers: named(/Connection: x-a|^http1\/connection\.md: (?:refuses|lets close win)|hop/),
  },
  {
    id: 'forwarding-headers',
    title: 'Forwarding headers',
    verdict: 'safer',
    why: `At the edge every \`x-envoy-\` header of the client goes, not only those of a list. \`x-forwarded-proto\` is \`http\` or \`https\`, or what the
connection says. Lines of \`x-forwarded-for\` stay apart in a sidecar, where they are only passed on.`,
    covers: named(/forwarding headers|x-envoy-made-up/i),
  },
  {
    id: 'http10-continue',
    title: 'No interim response to HTTP/1.0',
    verdict: 'standard',
    why: 'RFC 9110 §10.1.1: a client of HTTP/1.0 does not know 100.',
    covers: named(/HTTP\/1\.0 .*Expect/),
  },
  {
    id: 'expectations',
    title: 'Expectations',
    verdict: 'standard',
    why: `RFC 9110 §10.1.1: an expectation that is not \`100-continue\` is answered with 417; Envoy passes it on. One that comes
twice is still one, and one without a body is nobody's concern.`,
    covers: named(/expectations|: expect: /),
  },
  {
    id: 'methods',
    title: 'Any token is a method',
    verdict: 'default',
    why: `RFC 9110 §9.1, and case counts. Envoy knows a list over HTTP/1 unless \`allow_custom_methods\` is set, and takes any over HTTP/2. Policies
that name methods hold in both.`,
    covers: shows(/methods:|method it does not know|case of the method/, /^<1 200$/),
  },
  {
    id: 'length-zero',
    title: 'Which requests without a body say so',
    verdict: 'default',
    why: `RFC 9110 §8.6 asks for \`content-length: 0\` where the method lets one expect a body: Weft says so of POST, PUT and PATCH, Envoy of all but
GET, HEAD, DELETE and the like. A response to HEAD tells of a coding in Envoy and not in Weft.`,
    covers: ({ envoy, weft }) =>
      weft.every((line) => line.startsWith('log ')) &&
      envoy.every((line) => /content-length: 0$|transfer-encoding: chunked$|^log /.test(line)),
  },
  {
    id: 'asterisk',
    title: 'OPTIONS of a whole server, and targets without a path',
    verdict: 'standard',
    why: `RFC 9112 §3.2.4 turns \`OPTIONS http://host\` into \`OPTIONS *\`, which no prefix matches; \`http://host?query\` has the path \`/\` (RFC 9110
§4.2.3). Envoy does neither.`,
    covers: named(/OPTIONS|only a query|bare absolute URI/),
  },
  {
    id: 'paths',
    title: 'Paths at the edge, and bytes in targets',
    verdict: 'safer',
    why: `A path that climbs above its root is refused, not cut. One that is refused for an escaped slash keeps its connection. Bytes beyond ASCII do
not stand in a target (RFC 3986 §2) in either protocol.`,
    covers: named(/paths/),
  },
  {
    id: 'status-line',
    title: 'Responses that are not HTTP/1.1',
    verdict: 'safer',
    why: `A status of three digits from 100 on and a version that exists (RFC 9112 §4). What an endpoint sends otherwise is answered with 502; Envoy
passes on statuses such as 99 or 2000, which clients read as they like.`,
    covers: refused(/status line|status of|status below|before the status|another version|:status: 0/),
  },
  {
    id: 'interim',
    title: 'Interim responses are passed on',
    verdict: 'standard',
    why: `RFC 9110 §15.2: a proxy forwards 1xx responses other than 100, so Early Hints arrive. Envoy drops them. One with a length is only a
head to Weft; interim responses without end are cut off.`,
    covers: ({ name, weft }) =>
      weft.some((line) => /^<1 1(?:0[23]|99) local$/.test(line)) || /informational|interim/.test(name),
  },
  {
    id: 'unasked-switch',
    title: 'No switch of protocols that was not asked for',
    verdict: 'safer',
    why: `RFC 9110 §7.8: an endpoint switches only to what the client offered, and says to what. Anything else would give the client a raw connection to
the endpoint that no policy looked at.`,
    covers: shows(/101|switch|Upgrade|upgrade that the upstream changes/, /^<1 502 local$/),
  },
  {
    id: 'upgrades',
    title: 'Upgrades',
    verdict: 'default',
    why: `Weft says \`connection: Upgrade\` and the protocol in lower case, whatever else the client listed. A request with a body goes to
the endpoint without its offer to upgrade, where Envoy waits for a tunnel; a chunked one must be chunked. A refused upgrade keeps its connection and the body of the answer.`,
    covers: named(/upgrade|websocket/i),
  },
  {
    id: 'no-content',
    title: 'A 204 with a length',
    verdict: 'default',
    why: `RFC 9110 §8.6 forbids it, and the message still has no content. Weft leaves the length out, closes the connection to the endpoint if
bytes follow, and gives the client its 204; Envoy answers 502.`,
    covers: named(/204/),
  },
  {
    id: 'stream-ids',
    title: 'Streams that were skipped are closed',
    verdict: 'standard',
    why: 'RFC 9113 §5.1.1: opening a stream closes all lower ones that are idle. Envoy serves them.',
    covers: named(/skipped|headers 5 end .* headers 3/),
  },
  {
    id: 'redelivery',
    title: 'A request that was never taken is delivered again',
    verdict: 'default',
    why: 'REFUSED_STREAM and GOAWAY say that the endpoint did nothing with it (RFC 9113 §8.7). Weft sends it once more without a retry policy.',
    covers: shows(/reset ID 7|goaway 0/, /^>2 /),
  },
  {
    id: 'connection-errors',
    title: 'What ends an HTTP/2 connection',
    verdict: 'standard',
    why: `Priorities on stream 0 or on the stream itself, SETTINGS that overflow a window, a client that says GOAWAY and has nothing under way:
Weft ends the connection, Envoy reads on. Twenty empty
DATA frames end it in Envoy; Weft has a budget for them.`,
    covers: named(/priority|depends on|GOAWAY|goaway|frame 7|makes a stream overflow|20 x data/),
  },
  {
    id: 'blocks',
    title: 'Header blocks of many pieces',
    verdict: 'safer',
    why: 'A block may come in a bounded number of CONTINUATION frames. Too many fields are answered with 431, where Envoy resets the stream.',
    covers: named(/many and long fields|too many fields/),
  },
  {
    id: 'field-space',
    title: 'HTTP/2 fields without white space around them',
    verdict: 'standard',
    why: 'RFC 9113 §8.2.1 makes white space around a value malformed, and `te` is `trailers` or nothing. Envoy trims and goes on.',
    covers: refused(/^http2-head: fields/),
  },
  {
    id: 'cookies',
    title: 'Empty crumbs of a cookie',
    verdict: 'words',
    why: 'All crumbs are joined with `; ` (RFC 9113 §8.2.3), also an empty one, which Envoy leaves out.',
    covers: named(/cookies/),
  },
];
