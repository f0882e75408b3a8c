// A dashboard's variables: which values each offers, which is chosen, and how it reads inside of a query.
import { labelValues } from './prometheus.js';

const ALL = '$__all';
const NAME = /\$\{(\w+)(?:[.:][^}]*)?\}|\[\[(\w+)(?::[^\]]*)?\]\]|\$(\w+)/g;

export class Variables {
  /** In the order of the JSON: a query may speak of variables before it. */
  static async read(dashboard, run, span) {
    const variables = new Variables();
    for (const json of dashboard.templating?.list ?? []) {
      const values = await variables.#offered(json, span);
      variables.chosen.push(choose(json, values, run));
    }
    return variables;
  }

  chosen = [];

  /** Replaces everything that is a variable; `extra` are Grafana's own. A name that nobody declared is a mistake. */
  replace(text, extra = {}) {
    return text.replace(NAME, (whole, ...names) => {
      const name = names.slice(0, 3).find(Boolean);
      const found = extra[name] ?? this.chosen.find((variable) => variable.name === name)?.query;
      if (found === undefined) throw new Error(`no variable ${whole}`);
      return found;
    });
  }

  async #offered({ type, query, options = [] }, span) {
    if (type === 'datasource') return ['Prometheus'];
    if (type === 'custom') return query.split(',').map((value) => value.trim().split(' : ').at(-1));
    if (type !== 'query') return options.map(({ value }) => value);
    const text = this.replace(query.query ?? query);
    const [, selector, label] = /^label_values\((?:(.*),)?\s*(\w+)\s*\)$/s.exec(text) ?? [];
    if (!label) throw new Error(`the query of a variable is not understood: ${text}`);
    return labelValues(label, selector, span);
  }
}

function choose(json, values, run) {
  const { name, label = name, hide, multi, includeAll, allValue, current = {} } = json;
  const shown = { name, label, hidden: hide === 2 || hide === 'hideVariable' };
  const wanted = [current.value ?? []].flat();
  if (includeAll && (wanted.length === 0 || wanted.includes(ALL))) {
    return { ...shown, text: 'All', query: allValue ?? alternatives(values) };
  }
  const fitting = wanted.filter((value) => values.includes(value));
  const picked = fitting.length ? fitting : values.includes(run.job) ? [run.job] : values.slice(0, 1);
  if (!picked.length) throw new Error(`variable ${name} has no value`);
  return { ...shown, text: picked.join(' + '), query: multi ? alternatives(picked) : picked[0] };
}

/** As Grafana writes several values into PromQL. */
function alternatives(values) {
  const escaped = values.map((value) => value.replace(/[\\^$.*+?()[\]{}|]/g, '\\\\$&'));
  return escaped.length === 1 ? escaped[0] : `(${escaped.join('|')})`;
}
