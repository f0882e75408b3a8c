// The reduced values that stat, bar gauge and gauge show.
import { getFieldDisplayValues } from '@grafana/data';
import { fieldConfigOf } from '../data.js';
import { theme } from '../grafana.js';

export function valuesOf(panel, frames, sparkline = false) {
  return getFieldDisplayValues({
    fieldConfig: fieldConfigOf(panel),
    reduceOptions: { calcs: ['lastNotNull'], values: false, ...panel.options?.reduceOptions },
    replaceVariables: (text) => text,
    data: frames,
    theme,
    sparkline,
    timeZone: 'utc',
  });
}
