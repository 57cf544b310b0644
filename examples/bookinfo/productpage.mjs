// Bookinfo product page: asks details and reviews and shows one HTML page; the same data as JSON under /api/v1/products.
import { readFile } from 'node:fs/promises';
import { renderPage } from './page.mjs';
import { correlation, sendJson, serve } from './service.mjs';
import { clearedSession, sessionFor, userOf } from './session.mjs';

const hosts = {
  details: process.env.DETAILS_URL ?? 'http://details:9080',
  reviews: process.env.REVIEWS_URL ?? 'http://reviews:9080',
  ratings: process.env.RATINGS_URL ?? 'http://ratings:9080',
};
const callTimeoutMs = 3_000;
const formLimitBytes = 4096;
const products = [
  {
    id: 0,
    title: 'The Comedy of Errors',
    description:
      'A merchant from Syracuse lands in Ephesus, where, unknown to him, his twin brother lives, with a servant who is the twin of his own servant. Everyone takes everyone for someone else until the last scene.',
  },
];

/** `{ status, body }` of one call; status 503 when there was no proper answer in time. */
async function call(url, headers) {
  try {
    const answer = await fetch(url, { headers, signal: AbortSignal.timeout(callTimeoutMs) });
    return answer.ok ? { status: 200, body: await answer.json() } : { status: answer.status, body: null };
  } catch {
    return { status: 503, body: null };
  }
}

function outgoingHeaders(request) {
  const headers = correlation(request);
  const user = userOf(request);
  if (user !== null) headers['end-user'] = user;
  return headers;
}

const fetchDetails = (id, headers) => call(`${hosts.details}/details/${id}`, headers);
const fetchRatings = (id, headers) => call(`${hosts.ratings}/ratings/${id}`, headers);

/** One retry: together with the 3 s time-out, a slow ratings service makes this fail after 6 s (see the delay experiment). */
async function fetchReviews(id, headers) {
  const first = await call(`${hosts.reviews}/reviews/${id}`, headers);
  return first.status === 200 ? first : call(`${hosts.reviews}/reviews/${id}`, headers);
}

async function sendPage(request, response) {
  const headers = outgoingHeaders(request);
  const [details, reviews] = await Promise.all([fetchDetails(0, headers), fetchReviews(0, headers)]);
  const servedBy = reviews.body?.servedBy ?? 'none';
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'x-reviews-served-by': servedBy });
  response.end(renderPage({ product: products[0], user: userOf(request), details, reviews }));
}

async function signIn(request, response) {
  let form = '';
  for await (const chunk of request) {
    form += chunk;
    if (form.length > formLimitBytes) return sendJson(response, 413, { error: 'the form is too large' });
  }
  const user = new URLSearchParams(form).get('username')?.trim() ?? '';
  // The name travels in a header and in a cookie, so only visible ASCII may pass.
  if (!/^[\x21-\x7e]{1,64}$/.test(user))
    return sendJson(response, 400, { error: 'username: 1 to 64 visible ASCII characters' });
  response.writeHead(302, { location: '/productpage', 'set-cookie': sessionFor(user) }).end();
}

async function sendProducts(request, response, path) {
  const [, id, part] = /^\/api\/v1\/products(?:\/(\d{1,9})(?:\/(reviews|ratings))?)?\/?$/.exec(path) ?? [];
  if (path.replace(/\/$/, '') === '/api/v1/products') return sendJson(response, 200, products);
  if (id === undefined || products[Number(id)] === undefined)
    return sendJson(response, 404, { error: 'no such product' });
  const fetchPart = { reviews: fetchReviews, ratings: fetchRatings }[part] ?? fetchDetails;
  const answer = await fetchPart(Number(id), outgoingHeaders(request));
  sendJson(response, answer.status, answer.body ?? { error: `${part ?? 'details'} are currently unavailable` });
}

async function sendStyle(response) {
  const style = await readFile(new URL('./static/style.css', import.meta.url));
  response.writeHead(200, { 'content-type': 'text/css; charset=utf-8', 'cache-control': 'max-age=300' }).end(style);
}

serve('productpage', (request, response, url) => {
  const path = url.pathname;
  if (path.startsWith('/api/v1/products')) return sendProducts(request, response, path);
  switch (`${request.method} ${path}`) {
    case 'GET /productpage':
      return sendPage(request, response);
    case 'POST /login':
      return signIn(request, response);
    case 'GET /logout':
      return response.writeHead(302, { location: '/productpage', 'set-cookie': clearedSession }).end();
    case 'GET /':
      return response.writeHead(302, { location: '/productpage' }).end();
    case 'GET /static/style.css':
      return sendStyle(response);
    default:
      return sendJson(response, 404, { error: 'there is nothing here; try /productpage' });
  }
});
