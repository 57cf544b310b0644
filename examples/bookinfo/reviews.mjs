// Bookinfo reviews, in three versions by environment: v1 shows no stars (SERVICE_VERSION=v1, ENABLE_RATINGS=false),
// v2 black stars, v3 red ones (STAR_COLOR=red). The versions with stars ask ratings for them.
import { get } from 'node:http';
import { correlation, idAfter, sendJson, serve } from './service.mjs';

const version = process.env.SERVICE_VERSION ?? 'v1';
const ratingsEnabled = process.env.ENABLE_RATINGS === 'true';
const starColor = process.env.STAR_COLOR ?? 'black';
const ratingsUrl = process.env.RATINGS_URL ?? 'http://ratings:9080';
// Black stars wait patiently, red ones do not: a delay in ratings then shows differently in v2 and v3.
const ratingsTimeoutMs = starColor === 'black' ? 10_000 : 2_500;

/** The stars by reviewer, or null when ratings did not answer properly in time. */
function fetchRatings(id, headers) {
  return new Promise((resolve) => {
    const call = get(`${ratingsUrl}/ratings/${id}`, { headers }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk) => (text += chunk));
      answer.on('error', () => resolve(null));
      answer.on('end', () => resolve(answer.statusCode === 200 ? ratingsIn(text) : null));
    });
    const deadline = setTimeout(() => call.destroy(new Error('ratings took too long')), ratingsTimeoutMs);
    call.on('error', () => resolve(null));
    call.on('close', () => clearTimeout(deadline));
  });
}

function ratingsIn(text) {
  try {
    return JSON.parse(text).ratings ?? null;
  } catch {
    return null;
  }
}

function ratingOf(reviewer, ratings) {
  if (ratings === null) return { error: 'ratings are currently unavailable' };
  return { stars: ratings[reviewer] ?? 0, color: starColor };
}

serve(`reviews-${version}`, async (request, response, url) => {
  const id = idAfter('/reviews', url.pathname);
  if (request.method !== 'GET' || id === null) return sendJson(response, 404, { error: 'use GET /reviews/NUMBER' });
  const reviews = [
    {
      reviewer: 'Reviewer1',
      text: 'Two pairs of twins and not one dull page. I laughed on the tram and missed my stop.',
    },
    { reviewer: 'Reviewer2', text: 'Short, loud and very funny; the second half is even better than the first.' },
  ];
  if (ratingsEnabled) {
    const ratings = await fetchRatings(id, correlation(request));
    for (const review of reviews) review.rating = ratingOf(review.reviewer, ratings);
  }
  sendJson(response, 200, { id, version, servedBy: `reviews-${version}`, reviews });
});
