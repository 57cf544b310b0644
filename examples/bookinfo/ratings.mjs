// Bookinfo ratings: how many stars each reviewer gave. POST /ratings/N replaces the stars of book N, for experiments.
import { idAfter, sendJson, serve } from './service.mjs';

const bodyLimitBytes = 4096;
const replaced = new Map();

function parseRatings(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const isStars = (stars) => Number.isInteger(stars) && stars >= 0 && stars <= 5;
  return Object.values(value).every(isStars) ? value : null;
}

async function readBody(request) {
  let text = '';
  for await (const chunk of request) {
    text += chunk;
    if (text.length > bodyLimitBytes) return null;
  }
  return text;
}

serve('ratings', async (request, response, url) => {
  const id = idAfter('/ratings', url.pathname);
  if (id === null) return sendJson(response, 404, { error: 'use GET or POST /ratings/NUMBER' });
  if (request.method === 'POST') {
    const body = await readBody(request);
    const ratings = body === null ? null : parseRatings(body);
    if (ratings === null) return sendJson(response, 400, { error: 'send {"Reviewer1": 0…5, …} as JSON' });
    replaced.set(id, ratings);
  } else if (request.method !== 'GET') {
    return sendJson(response, 405, { error: 'use GET or POST' });
  }
  sendJson(response, 200, { id, ratings: replaced.get(id) ?? { Reviewer1: 5, Reviewer2: 4 } });
});
