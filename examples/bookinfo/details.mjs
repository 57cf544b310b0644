// Bookinfo details: what is printed on the book.
import { idAfter, sendJson, serve } from './service.mjs';

serve('details', (request, response, url) => {
  const id = idAfter('/details', url.pathname);
  if (request.method !== 'GET' || id === null) return sendJson(response, 404, { error: 'use GET /details/NUMBER' });
  sendJson(response, 200, {
    id,
    author: 'William Shakespeare',
    year: 1595,
    type: 'paperback',
    pages: 200,
    publisher: 'Loom & Shuttle',
    language: 'English',
    'ISBN-10': '1234567890',
    'ISBN-13': '123-1234567890',
  });
});
