// The types of panels that are drawn: each a `Draw`, and `fieldDefaults` and `padding` where Grafana's plugin has them.
import * as bargauge from './bargauge.jsx';
import * as gauge from './gauge.jsx';
import * as heatmap from './heatmap.jsx';
import * as stat from './stat.jsx';
import * as statetimeline from './statetimeline.jsx';
import * as table from './table.jsx';
import * as text from './text.jsx';
import * as timeseries from './timeseries.jsx';

export const TYPES = { bargauge, gauge, heatmap, stat, 'state-timeline': statetimeline, table, text, timeseries };
