// Grafana's plot with its axes, for the two panels whose insides its packages leave out.
import { useMemo } from 'react';
import { measureText, UPlotChart, UPlotConfigBuilder } from '@grafana/ui';
import { theme } from '../grafana.js';

/** `labels` are `[height, text]` along the vertical axis, `extent` its range; `draw(uplot, context)` paints. */
export function Plot({ times, extent, labels, draw, span, width, height }) {
  const config = useMemo(() => {
    const builder = new UPlotConfigBuilder('utc');
    const { from, to } = span.range;
    builder.addScale({
      scaleKey: 'x',
      isTime: true,
      orientation: 0,
      direction: 1,
      range: () => [from.valueOf(), to.valueOf()],
    });
    builder.addAxis({ scaleKey: 'x', isTime: true, placement: 'bottom', timeZone: 'utc', theme });
    builder.addScale({ scaleKey: 'y', orientation: 1, direction: 1, range: () => extent });
    const [splits, values] = [0, 1].map((part) => labels.map((label) => label[part]));
    const size = Math.max(...values.map((text) => measureText(text, 12).width)) + 16;
    builder.addAxis({ scaleKey: 'y', placement: 'left', theme, grid: { show: false }, splits, values, size });
    builder.addSeries({
      scaleKey: 'y',
      pathBuilder: () => null,
      pointsBuilder: () => null,
      theme,
      drawStyle: 'line',
      show: true,
    });
    builder.addHook('draw', (uplot) => {
      const { left, top, width, height } = uplot.bbox;
      uplot.ctx.save();
      uplot.ctx.beginPath();
      uplot.ctx.rect(left, top, width, height);
      uplot.ctx.clip();
      draw(uplot, uplot.ctx);
      uplot.ctx.restore();
    });
    return builder;
  }, [width, height]);
  return <UPlotChart data={[times, times.map(() => null)]} timeRange={span.range} {...{ config, width, height }} />;
}
