// A dial for each series. Grafana's own draws with a jQuery plugin that its packages leave out, so this is ours.
import { formattedValueToString, GAUGE_DEFAULT_MAXIMUM, GAUGE_DEFAULT_MINIMUM } from '@grafana/data';
import { VizRepeater } from '@grafana/ui';
import { theme } from '../grafana.js';
import { fieldDefaults } from './stat.jsx';
import { valuesOf } from './values.js';

export { fieldDefaults };

const [FROM, TO] = [-220, 40]; // degrees, clockwise from the right

export function Draw({ panel, frames, options, width, height }) {
  return (
    <VizRepeater
      getValues={() => valuesOf(panel, frames)}
      renderValue={({ value, width, height, count }) => (
        <Dial {...value} {...{ width, height }} named={count > 1} markers={options.showThresholdMarkers ?? true} />
      )}
      source={frames}
      itemSpacing={8}
      autoGrid
      orientation={options.orientation ?? 'auto'}
      {...{ width, height }}
    />
  );
}

function Dial({ display, field, width, height, named, markers }) {
  const { min = GAUGE_DEFAULT_MINIMUM, max = GAUGE_DEFAULT_MAXIMUM } = field;
  const radius = Math.min(width / 2, (height - (named ? 20 : 0)) / 1.75) - 4;
  const thick = Math.min(radius / 2.6, 40);
  const angle = (value) => FROM + (TO - FROM) * Math.min(1, Math.max(0, (value - min) / (max - min)));
  const steps = thresholds(field, min, max);
  const ring = (from, to, inner, outer, color) => (
    <path key={`${from}${color}`} d={arc(from, to, inner, outer)} fill={color} />
  );
  const text = formattedValueToString(display);
  const size = Math.min(radius / 2, ((radius - thick) * 2.6) / text.length, 60);
  return (
    <svg
      {...{ width, height }}
      viewBox={`${-width / 2} ${-radius - 4} ${width} ${height}`}
      fontFamily="Inter"
      textAnchor="middle"
    >
      {ring(FROM, TO, radius - thick, radius - thick / 4, theme.colors.background.secondary)}
      {ring(FROM, angle(display.numeric), radius - thick, radius - thick / 4, display.color)}
      {markers && steps.map(({ from, to, color }) => ring(angle(from), angle(to), radius - thick / 5, radius, color))}
      <text fill={display.color} fontSize={size} fontWeight="500" y={size / 4}>
        {text}
      </text>
      {named && (
        <text fill={theme.colors.text.primary} fontSize="14" y={radius * 0.75 + 16}>
          {display.title}
        </text>
      )}
    </svg>
  );
}

/** The thresholds as stretches of the scale. */
function thresholds({ thresholds: { mode, steps } = { steps: [] } }, min, max) {
  const bounds = steps.map(({ value }) => {
    const bound = value ?? -Infinity;
    return Math.min(max, Math.max(min, mode === 'percentage' ? min + (bound / 100) * (max - min) : bound));
  });
  return steps.map(({ color }, at) => ({
    from: bounds[at],
    to: bounds[at + 1] ?? max,
    color: theme.visualization.getColorByName(color),
  }));
}

/** The path of a piece of a ring. */
function arc(from, to, inner, outer) {
  const point = (radius, angle) => {
    const turned = (angle * Math.PI) / 180;
    return `${radius * Math.cos(turned)} ${radius * Math.sin(turned)}`;
  };
  const large = to - from > 180 ? 1 : 0;
  const along = (radius, sweep, end) => `A ${radius} ${radius} 0 ${large} ${sweep} ${point(radius, end)}`;
  return `M ${point(outer, from)} ${along(outer, 1, to)} L ${point(inner, to)} ${along(inner, 0, from)} Z`;
}
