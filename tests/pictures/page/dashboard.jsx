// The page as Grafana lays it out: title and time, the variables, the grid.
import { dateTimeFormat } from '@grafana/data';
import { theme } from './grafana.js';
import { heightOf } from './layout.js';
import { Panel } from './panel.jsx';

export function Dashboard({ dashboard, span, variables, annotations, panels }) {
  return (
    <>
      <div className="head">
        <h1>{dashboard.title}</h1>
        {dashboard.links?.map(({ title }) => (
          <Control key={title} value={`☰ ${title}`} />
        ))}
        <Control value={`◷ ${clock(span.start)} to ${clock(span.end)} UTC`} />
      </div>
      <div className="head bar">
        {variables.chosen
          .filter(({ hidden }) => !hidden)
          .map(({ name, label, text }) => (
            <Control key={name} label={label} value={`${text} ▾`} />
          ))}
        {annotations.map(({ name, color }) => (
          <Control key={name} label={<span style={{ color }}>┆</span>} value={name} />
        ))}
      </div>
      <div className="grid" style={{ height: heightOf(panels.map(({ panel }) => panel)) }}>
        {panels.map((one) => (
          <Panel key={one.panel.id} {...{ span, annotations }} {...one} />
        ))}
      </div>
    </>
  );
}

const clock = (seconds) => dateTimeFormat(seconds * 1000, { timeZone: 'utc' });

function Control({ label, value }) {
  const { background, border, text } = theme.colors;
  return (
    <div className="control" style={{ borderColor: border.medium, background: background.primary }}>
      {label && <span style={{ background: background.secondary, color: text.secondary }}>{label}</span>}
      <span>{value}</span>
    </div>
  );
}
