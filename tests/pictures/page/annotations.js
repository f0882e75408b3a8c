// A dashboard's annotations: the moments at which something happened, drawn through all panels over time.
import { theme } from './grafana.js';
import { range } from './prometheus.js';
import { WIDTH } from './span.js';

/**
 * `{name, color, times}` of each that is enabled; `times` in milliseconds.
 * Grafana asks by the minute, which is coarse for a run that lasts one or two.
 */
export function readAnnotations(dashboard, variables, span) {
  const step = span.step(WIDTH);
  const ours = (dashboard.annotations?.list ?? []).filter(({ enable, expr }) => enable && expr);
  return Promise.all(
    ours.map(async ({ name, expr, iconColor }) => {
      const found = await range(variables.replace(expr, span.builtIn(step)), span, step);
      const times = [...new Set(found.flatMap(({ values }) => begins(values, step)))];
      return { name, times, color: theme.visualization.getColorByName(iconColor) };
    }),
  );
}

/** Samples that follow each other are one event. */
const begins = (values, step) =>
  values.filter(([at], index) => index === 0 || at - values[index - 1][0] > step).map(([at]) => at * 1000);

/** Draws them as Grafana does: a dashed line with a mark at its foot. */
export function drawAnnotations(uplot, annotations) {
  const { ctx, bbox } = uplot;
  ctx.save();
  for (const { times, color } of annotations) {
    for (const x of times.map((time) => Math.round(uplot.valToPos(time, 'x', true)))) {
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.strokeStyle = ctx.fillStyle = color;
      ctx.setLineDash([5, 5]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.fillRect(x - 3, bbox.top + bbox.height, 6, 3);
    }
  }
  ctx.restore();
}
