// Lines, areas and bars over time: Grafana's own component, with its legend.
import { applyNullInsertThreshold, nullToValue } from '@grafana/data';
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

/** Where a series pauses, its line does: Grafana's panel puts in what is missing before its component draws. */
const gapped =
  ({ from, to }) =>
  (frame) =>
    nullToValue(
      applyNullInsertThreshold({ frame, refFieldPseudoMin: from.valueOf(), refFieldPseudoMax: to.valueOf() }),
    );

const LEGEND = { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: [] };

export function Draw({ frames, span, annotations, options, width, height }) {
  return (
    <TimeSeries
      frames={frames.map(gapped(span.range))}
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
