// A band for each series, coloured and named by what its value is mapped to.
import { formattedValueToString, getFieldDisplayName } from '@grafana/data';
import { VizLegend } from '@grafana/ui';
import { theme } from '../grafana.js';
import { Plot } from './plot.jsx';

export const fieldDefaults = { color: { mode: 'thresholds' }, custom: { lineWidth: 0, fillOpacity: 70 } };

const LEGEND = 28;

export function Draw({ frames, span, options, width, height }) {
  const rows = frames.map((frame) => band(frame, frames));
  const states = new Map(rows.flatMap(({ stretches }) => stretches.map(({ text, color }) => [text, color])));
  const showText = options.showValue !== 'never';
  const thick = options.rowHeight ?? 0.9;
  const draw = (uplot, context) => {
    context.font = `${12 * devicePixelRatio}px Inter`;
    context.textAlign = 'left';
    context.textBaseline = 'middle';
    rows.forEach(({ stretches, opacity }, row) =>
      stretches.forEach(({ from, to, text, color }) => {
        const [left, right] = [from, to].map((x) => Math.max(uplot.bbox.left, uplot.valToPos(x, 'x', true)));
        const middle = uplot.valToPos(rows.length - row - 0.5, 'y', true);
        const high = (uplot.bbox.height / rows.length) * thick;
        context.globalAlpha = opacity;
        context.fillStyle = color;
        context.fillRect(left, middle - high / 2, Math.max(1, right - left), high);
        context.globalAlpha = 1;
        context.fillStyle = theme.colors.getContrastText(color, 3);
        if (showText && context.measureText(text).width + 8 < right - left) context.fillText(text, left + 4, middle);
      }),
    );
  };
  const labels = rows.map(({ name }, row) => [rows.length - row - 0.5, name]);
  const legend = options.legend?.showLegend ?? true;
  const items = [...states].map(([label, color]) => ({ label, color, yAxis: 1 }));
  return (
    <>
      <Plot
        times={frames[0].fields[0].values}
        extent={[0, rows.length]}
        {...{ labels, draw, span, width }}
        height={height - (legend ? LEGEND : 0)}
      />
      {legend && <VizLegend placement="bottom" displayMode="list" items={items} />}
    </>
  );
}

/** A series as stretches of equal values. */
function band(frame, frames) {
  const [time, field] = frame.fields;
  const stretches = [];
  field.values.forEach((value, at) => {
    const { color, ...display } = field.display(value);
    const [text, from, to] = [formattedValueToString(display), time.values[at], time.values[at] + time.config.interval];
    const last = stretches.at(-1);
    if (last?.text === text && from <= last.to) last.to = to;
    else stretches.push({ text, color, from, to });
  });
  const opacity = (field.config.custom?.fillOpacity ?? 70) / 100;
  return { name: getFieldDisplayName(field, frame, frames), stretches, opacity };
}
