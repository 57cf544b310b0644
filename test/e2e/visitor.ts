// Someone who looks at the product page with a browser: cookies, and what the page shows.

/** What one view of the page showed. */
export interface View {
  readonly status: number;
  /** `reviews-v2`; `none` when reviews did not answer. */
  readonly servedBy: string;
  readonly stars: 'none' | 'black' | 'red';
  /** Which services the page says sorry for. */
  readonly failures: readonly string[];
  readonly user: string | null;
  readonly tookMs: number;
  readonly html: string;
}

/** A visitor, signed in or not. */
export class Visitor {
  private readonly page: string;
  private cookie = '';

  constructor(page: string) {
    this.page = page;
  }

  /** Signs in by the form of the page. */
  async signIn(username: string): Promise<void> {
    const answer = await fetch(new URL('/login', this.page), {
      method: 'POST',
      body: new URLSearchParams({ username, passwd: 'anything' }),
      redirect: 'manual',
    });
    await answer.arrayBuffer();
    this.cookie = (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
  }

  async look(): Promise<View> {
    const startMs = performance.now();
    const answer = await fetch(this.page, { headers: this.cookie === '' ? {} : { cookie: this.cookie } });
    const html = await answer.text();
    return {
      status: answer.status,
      servedBy: /name="reviews-served-by" content="([^"]*)"/.exec(html)?.[1] ?? '',
      stars: html.includes('stars red') ? 'red' : html.includes('stars black') ? 'black' : 'none',
      failures: [...html.matchAll(/data-failure="(\w+)"/g)].map((match) => match[1] ?? ''),
      user: /Signed in as <b>([^<]*)</.exec(html)?.[1] ?? null,
      tookMs: performance.now() - startMs,
      html,
    };
  }

  /** Several views, some at a time; how often each version answered. */
  async count(times: number, atOnce = 8): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    let left = times;
    const lookOn = async (): Promise<void> => {
      while (left-- > 0) {
        const { servedBy } = await this.look();
        counts[servedBy] = (counts[servedBy] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: atOnce }, lookOn));
    return counts;
  }
}

/** Looks at the page all the time until told to stop; what did not go well is kept. */
export class SteadyVisitor {
  readonly problems: string[] = [];
  views = 0;
  private readonly visitor: Visitor;
  private running: Promise<void>;
  private isStopped = false;

  constructor(page: string, options: { readonly atOnce?: number } = {}) {
    this.visitor = new Visitor(page);
    this.running = Promise.all(Array.from({ length: options.atOnce ?? 3 }, () => this.lookOn())).then(() => {});
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    await this.running;
  }

  private async lookOn(): Promise<void> {
    while (!this.isStopped) {
      try {
        const view = await this.visitor.look();
        this.views++;
        if (view.status !== 200 || view.failures.length > 0)
          this.problems.push(`${view.status} ${view.failures.join(' ')}`);
      } catch (error) {
        this.problems.push(String(error));
      }
    }
  }
}
