// Lines, areas and bars over time: Grafana's own component, with its legend.
import { TimeSeries } from '@grafana/ui';
import { drawAnnotations } from '../annotations.js';

export const fieldDefaults = {
  color: { mode: 'palette-classic' },
  custom: {
    drawStyle: 'line',
    lineInterpolation: 'linear',
    lineWidth: 1,
    fillOpacity: 0,
    gradientMode: 'none',
    spanNulls: false,
    showPoints: 'auto',
    pointSize: 5,
    stacking: { mode: 'none', group: 'A' },
    axisPlacement: 'auto',
    axisGridShow: true,
    barAlignment: 0,
    barWidthFactor: 0.6,
    scaleDistribution: { type: 'linear' },
    hideFrom: { tooltip: false, viz: false, legend: false },
    thresholdsStyle: { mode: 'off' },
  },
};

const LEGEND = { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: [] };

export function Draw({ frames, span, annotations, options, width, height }) {
  return (
    <TimeSeries
      frames={frames}
      timeRange={span.range}
      timeZone="utc"
      structureRev={1}
      legend={{ ...LEGEND, ...options.legend }}
      {...{ width, height }}
    >
      {(plot) => {
        plot.addHook('draw', (uplot) => drawAnnotations(uplot, annotations));
      }}
    </TimeSeries>
  );
}
