// One large figure for each series, with a line of how it came about.
import { getDisplayValueAlignmentFactors } from '@grafana/data';
import { BigValue, VizRepeater } from '@grafana/ui';
import { theme } from '../grafana.js';
import { valuesOf } from './values.js';

export const fieldDefaults = {
  color: { mode: 'thresholds' },
  thresholds: { mode: 'absolute', steps: [{ color: 'green', value: null }] },
};

export function Draw({ panel, frames, span, options, width, height }) {
  const {
    colorMode = 'value',
    graphMode = 'area',
    justifyMode = 'auto',
    textMode = 'auto',
    orientation = 'auto',
  } = options;
  return (
    <VizRepeater
      getValues={() => valuesOf(panel, frames, graphMode !== 'none')}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={({ value, width, height, alignmentFactors, count }) => (
        <BigValue
          value={value.display}
          sparkline={value.sparkline && { ...value.sparkline, timeRange: span.range }}
          text={options.text}
          wideLayout={options.wideLayout ?? true}
          {...{ theme, colorMode, graphMode, justifyMode, textMode, width, height, alignmentFactors, count }}
        />
      )}
      source={frames}
      itemSpacing={3}
      autoGrid
      {...{ width, height, orientation }}
    />
  );
}
