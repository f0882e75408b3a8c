// Grafana's table; of several frames it shows the first, as Grafana does until a person picks another.
import { TableNG } from '@grafana/ui/unstable';

export const fieldDefaults = {
  color: { mode: 'thresholds' },
  thresholds: { mode: 'absolute', steps: [{ color: 'green', value: null }] },
  custom: { align: 'auto', cellOptions: { type: 'auto' } },
};
export const padding = 'none';

export function Draw({ frames, options, width, height }) {
  return (
    <TableNG
      data={frames[0]}
      noHeader={options.showHeader === false}
      initialSortBy={options.sortBy}
      cellHeight={options.cellHeight}
      enableVirtualization={false}
      {...{ width, height }}
    />
  );
}
