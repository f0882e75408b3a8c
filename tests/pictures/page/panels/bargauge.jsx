// A bar for each series.
import { getDisplayValueAlignmentFactors } from '@grafana/data';
import { BarGauge, VizRepeater } from '@grafana/ui';
import { theme } from '../grafana.js';
import { fieldDefaults } from './stat.jsx';
import { valuesOf } from './values.js';

export { fieldDefaults };

export function Draw({ panel, frames, options, width, height }) {
  const { displayMode = 'gradient', orientation = 'horizontal', showUnfilled = true, namePlacement = 'auto' } = options;
  const spacing = displayMode === 'lcd' ? 2 : 8;
  return (
    <VizRepeater
      getValues={() => valuesOf(panel, frames)}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={({ value, width, height, alignmentFactors, orientation, count }) => (
        <BarGauge
          value={value.display}
          field={value.field}
          display={value.view?.getFieldDisplayProcessor(value.colIndex)}
          text={options.text}
          itemSpacing={spacing}
          lcdCellWidth={8}
          valueDisplayMode={options.valueMode}
          {...{ theme, displayMode, orientation, showUnfilled, namePlacement, width, height, alignmentFactors, count }}
        />
      )}
      source={frames}
      itemSpacing={spacing}
      minVizHeight={options.minVizHeight ?? 16}
      maxVizHeight={options.maxVizHeight ?? 300}
      minVizWidth={options.minVizWidth ?? 8}
      {...{ width, height, orientation }}
    />
  );
}
