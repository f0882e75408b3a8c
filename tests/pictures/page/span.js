// The time that the picture shows, and the steps in which Prometheus is asked for it, reckoned as Grafana does.
import { dateTime, rangeUtil } from '@grafana/data';

/** A dashboard as a person sees it on a wide screen. */
export const WIDTH = 1600 - 2 * 16;

export class Span {
  /** Of a run that ends calmly, `busy_until` is the last that is shown: else what tells of now would tell nothing. */
  constructor(run) {
    const { start, scrape_interval: scrape } = run;
    const end = run.busy_until ?? run.end;
    Object.assign(this, { start, end, scrape });
    const [from, to] = [dateTime(start * 1000), dateTime(end * 1000)];
    this.range = { from, to, raw: { from, to } };
  }

  /** Seconds between two points of a query, for a panel of so many pixels. */
  step(pixels, least) {
    const limit = least && !least.includes('$') ? least.replace('>', '') : `${this.scrape}s`;
    return rangeUtil.calculateInterval(this.range, pixels, limit).intervalMs / 1000;
  }

  /** The values of Grafana's own variables at that step. */
  builtIn(step) {
    const length = Math.round(this.end - this.start);
    const rate = Math.max(step + this.scrape, 4 * this.scrape);
    return {
      __interval: `${step}s`,
      __interval_ms: `${step * 1000}`,
      __rate_interval: `${rate}s`,
      __rate_interval_ms: `${rate * 1000}`,
      __range: `${length}s`,
      __range_s: `${length}`,
      __range_ms: `${length * 1000}`,
      __from: `${this.start * 1000}`,
      __to: `${this.end * 1000}`,
    };
  }
}
