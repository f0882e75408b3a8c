// Prometheus' answers as data frames, in the three shapes that a query's `format` may ask for.
import { FieldType, toDataFrame } from '@grafana/data';
import { number } from './prometheus.js';

const time = (values, step) => ({
  name: 'Time',
  type: FieldType.time,
  config: step ? { interval: step * 1000 } : {},
  values: values.map(([at]) => at * 1000),
});

/** What a series is called: its legend with the labels filled in. */
function nameOf({ metric }, { legendFormat, expr }) {
  if (legendFormat && legendFormat !== '__auto') {
    return legendFormat.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label) => metric[label] ?? '');
  }
  const { __name__: name = '', ...labels } = metric;
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return pairs.length ? `${name}{${pairs.join(', ')}}` : name || expr;
}

/** One frame for each series. */
export function series(found, target, { step }) {
  return found.map((one) =>
    toDataFrame({
      refId: target.refId,
      fields: [
        time(one.values, step),
        {
          name: 'Value',
          type: FieldType.number,
          labels: one.metric,
          config: { displayNameFromDS: nameOf(one, target) },
          values: one.values.map(([, value]) => number(value)),
        },
      ],
    }),
  );
}

/** One frame with a column for each label. */
export function table(found, { refId }, { several }) {
  const labels = [...new Set(found.flatMap(({ metric }) => Object.keys(metric)))].sort();
  const rows = found.flatMap(({ metric, values }) => values.map((value) => ({ metric, value })));
  const column = (label) => ({
    name: label,
    type: FieldType.string,
    config: {},
    values: rows.map(({ metric }) => metric[label] ?? ''),
  });
  const value = {
    name: several ? `Value #${refId}` : 'Value',
    type: FieldType.number,
    config: {},
    values: rows.map((row) => number(row.value[1])),
  };
  const fields = [time(rows.map((row) => row.value)), ...labels.map(column), value];
  return [toDataFrame({ refId, fields })];
}

/** One frame with a field for each bucket of a histogram, which holds what lies in that bucket alone. */
export function buckets(found, { refId }, { step }) {
  const rising = found
    .map(({ metric, values }) => ({ bound: number(metric.le), le: metric.le, counts: new Map(values) }))
    .sort((a, b) => a.bound - b.bound);
  const times = [...new Set(rising.flatMap(({ counts }) => [...counts.keys()]))].sort((a, b) => a - b);
  const upTo = rising.map(({ counts }) => times.map((at) => number(counts.get(at) ?? '0')));
  const fields = rising.map(({ le }, row) => ({
    name: le,
    type: FieldType.number,
    labels: { le },
    config: {},
    values: upTo[row].map((count, at) => Math.max(0, count - (upTo[row - 1]?.[at] ?? 0))),
  }));
  return [
    toDataFrame({
      refId,
      fields: [
        time(
          times.map((at) => [at]),
          step,
        ),
        ...fields,
      ],
    }),
  ];
}
