// Counts over time and buckets: the more in a cell, the stronger its colour.
import * as chromatic from 'd3-scale-chromatic';
import { formattedValueToString, getValueFormat } from '@grafana/data';
import { theme } from '../grafana.js';
import { Plot } from './plot.jsx';

const LEGEND = 24;

export function Draw({ frames, span, options, width, height }) {
  const [time, ...buckets] = frames[0].fields;
  const most = Math.max(...buckets.flatMap(({ values }) => values.filter(Number.isFinite)));
  const color = scale(options.color);
  const step = time.config.interval;
  const unit = getValueFormat(options.yAxis?.unit ?? buckets[0].config.unit ?? 'short');
  const bound = (at) =>
    Number.isFinite(Number(buckets[at]?.name))
      ? formattedValueToString(unit(Number(buckets[at].name)))
      : (buckets[at]?.name ?? '');
  const draw = (uplot, context) => {
    buckets.forEach(({ values }, row) =>
      values.forEach((count, at) => {
        if (!(count > 0)) return;
        const [left, right] = [time.values[at] - step, time.values[at]].map((x) => uplot.valToPos(x, 'x', true));
        const [low, high] = [row, row + 1].map((y) => uplot.valToPos(y, 'y', true));
        context.fillStyle = color(count / most);
        context.fillRect(left, high + 1, Math.max(1, right - left - 1), low - high - 1);
      }),
    );
  };
  const every = Math.ceil(buckets.length / Math.max(2, (height - 60) / 18));
  const labels = buckets.map((_, row) => [row + 1, bound(row)]).filter(([row]) => row % every === 0);
  const legend = options.legend?.show ?? true;
  return (
    <>
      <Plot
        times={time.values}
        extent={[0, buckets.length]}
        {...{ labels, draw, span, width }}
        height={height - (legend ? LEGEND : 0)}
      />
      {legend && <Scale color={color} most={most} />}
    </>
  );
}

/** A colour for 0…1, by one of the two ways that Grafana offers. */
function scale({ mode = 'scheme', scheme = 'Oranges', fill = 'dark-orange', exponent = 0.5, reverse = false } = {}) {
  if (mode === 'opacity') {
    const [solid, alpha] = [theme.visualization.getColorByName(fill), (share) => Math.round(255 * share ** exponent)];
    return (share) => solid + alpha(share).toString(16).padStart(2, '0');
  }
  const colors = chromatic[`interpolate${scheme}`];
  // On a dark page Grafana turns the schemes round, so that more is brighter.
  return (share) => colors(reverse ? share : 1 - share);
}

function Scale({ color, most }) {
  const stops = [0, 0.1, 0.25, 0.5, 0.75, 1].map((share) => `${color(share)} ${share * 100}%`);
  return (
    <div style={{ display: 'flex', gap: 8, alignItems: 'center', fontSize: 12, height: LEGEND }}>
      <span>0</span>
      <div style={{ width: 200, height: 8, background: `linear-gradient(to right, ${stops})` }} />
      <span>{formattedValueToString(getValueFormat('short')(most, 1))}</span>
    </div>
  );
}
