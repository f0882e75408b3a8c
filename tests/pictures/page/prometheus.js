// Asks the Prometheus that stands behind the page's origin.
async function ask(path, parameters) {
  const answer = await fetch(`prom/api/v1/${path}?${new URLSearchParams(parameters)}`);
  const { status, error, data } = await answer.json();
  if (status !== 'success') throw new Error(error);
  return data;
}

/** Series with `values`, from `start` to `end` aligned to the step as Grafana aligns them. */
export async function range(query, { start, end }, step) {
  const [from, to] = [start, end].map((time) => Math.floor(time / step) * step);
  return (await ask('query_range', { query, start: from, end: to, step })).result;
}

/** The same shape with the one value at the end. */
export async function instant(query, { end }) {
  const { resultType, result } = await ask('query', { query, time: end });
  if (resultType === 'scalar') return [{ metric: {}, values: [result] }];
  return result.map(({ metric, value }) => ({ metric, values: [value] }));
}

/** The values of a label, of all series or of those that a selector picks. */
export function labelValues(label, selector, { start, end }) {
  return ask(`label/${label}/values`, { start, end, ...(selector && { 'match[]': selector }) });
}

/** Prometheus writes infinities as no JavaScript number does. */
export const number = (text) => Number(text.replace('Inf', 'Infinity'));
