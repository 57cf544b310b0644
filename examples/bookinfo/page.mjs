// The product page's HTML.

const escapes = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escapeHtml = (text) => String(text).replace(/[&<>"']/g, (character) => escapes[character]);

const detailRows = [
  ['author', 'Author'],
  ['year', 'Year'],
  ['type', 'Binding'],
  ['pages', 'Pages'],
  ['publisher', 'Publisher'],
  ['language', 'Language'],
  ['ISBN-10', 'ISBN-10'],
  ['ISBN-13', 'ISBN-13'],
];

function renderUser(user) {
  if (user !== null)
    return `<p class="user">Signed in as <b>${escapeHtml(user)}</b> <a href="/logout">Sign out</a></p>`;
  return `<form class="user" method="post" action="/login">
      <input name="username" placeholder="User name" aria-label="User name" autocomplete="username" required>
      <input name="passwd" type="password" placeholder="Any password" aria-label="Password" autocomplete="current-password">
      <button>Sign in</button>
    </form>`;
}

function renderDetails({ status, body }) {
  if (status !== 200)
    return `<p class="failure" data-failure="details">Sorry, details are currently unavailable for this book.</p>`;
  const rows = detailRows.map(([key, label]) => `<dt>${label}</dt><dd>${escapeHtml(body[key] ?? '')}</dd>`);
  return `<dl>${rows.join('')}</dl>`;
}

function renderRating(rating) {
  if (rating === undefined) return '';
  if (rating.error !== undefined)
    return `<p class="failure" data-failure="ratings">Sorry, ${escapeHtml(rating.error)}.</p>`;
  const stars = Math.max(0, Math.min(5, Number(rating.stars) || 0));
  const color = rating.color === 'red' ? 'red' : 'black';
  const glyphs = '★'.repeat(stars) + '☆'.repeat(5 - stars);
  return `<p class="stars ${color}" data-stars="${stars}" data-color="${color}" title="${stars} of 5">${glyphs}</p>`;
}

function renderReviews({ status, body }) {
  if (status !== 200)
    return `<p class="failure" data-failure="reviews">Sorry, reviews are currently unavailable for this book.</p>`;
  const items = body.reviews.map(
    (review) => `<blockquote>
        <p>${escapeHtml(review.text)}</p>
        ${renderRating(review.rating)}
        <footer>${escapeHtml(review.reviewer)}</footer>
      </blockquote>`,
  );
  return items.join('\n');
}

/** The whole page; `reviews-served-by` says in a meta element which version of reviews answered (`none` when it did not). */
export function renderPage({ product, user, details, reviews }) {
  const servedBy = escapeHtml(reviews.body?.servedBy ?? 'none');
  return `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="reviews-served-by" content="${servedBy}">
  <title>${escapeHtml(product.title)} · Bookinfo</title>
  <link rel="stylesheet" href="/static/style.css">
</head>
<body>
  <header>
    <a class="brand" href="/productpage">Bookinfo</a>
    ${renderUser(user)}
  </header>
  <main>
    <section class="book">
      <div class="cover" aria-hidden="true"><span>${escapeHtml(product.title)}</span></div>
      <div>
        <h1>${escapeHtml(product.title)}</h1>
        <p class="summary">${escapeHtml(product.description)}</p>
      </div>
    </section>
    <div class="columns">
      <section class="card">
        <h2>Details</h2>
        ${renderDetails(details)}
      </section>
      <section class="card" id="reviews" data-reviews-served-by="${servedBy}">
        <h2>Reviews <span class="badge" title="the workload that answered">${servedBy === 'none' ? 'no answer' : servedBy}</span></h2>
        ${renderReviews(reviews)}
      </section>
    </div>
  </main>
</body>
</html>
`;
}
