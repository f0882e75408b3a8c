// One panel in Grafana's chrome; whatever goes wrong inside of it is shown and told instead of hidden.
import { Component } from 'react';
import { Icon, PanelChrome } from '@grafana/ui';
import { TYPES } from './panels/index.js';

export function Panel({ panel, frames, failure, span, annotations }) {
  const { left, top, width, height } = panel.box;
  const box = { left, top, width, height };
  if (panel.type === 'row') {
    return (
      <div className="cell row" style={box}>
        <Icon name="angle-down" size="lg" />
        {panel.title}
      </div>
    );
  }
  const type = TYPES[panel.type];
  const wrong = failure ?? (type ? undefined : `no such panel type: ${panel.type}`);
  return (
    <div className="cell" style={box} data-panel={panel.id}>
      <PanelChrome
        title={panel.title}
        description={panel.description}
        displayMode={panel.transparent ? 'transparent' : 'default'}
        padding={type?.padding ?? 'md'}
        {...{ width, height }}
      >
        {(innerWidth, innerHeight) =>
          wrong ? (
            <Failure text={wrong} />
          ) : !frames.length && panel.targets?.length ? (
            <NoData panel={panel} />
          ) : (
            <Boundary>
              <type.Draw
                {...{ panel, frames, span, annotations }}
                options={panel.options ?? {}}
                width={innerWidth}
                height={innerHeight}
              />
            </Boundary>
          )
        }
      </PanelChrome>
    </div>
  );
}

const NoData = ({ panel }) => <div className="nothing">{panel.fieldConfig?.defaults?.noValue ?? 'No data'}</div>;

const Failure = ({ text }) => <pre className="failure">{text}</pre>;

class Boundary extends Component {
  static getDerivedStateFromError(error) {
    return { failure: String(error) };
  }

  state = {};

  render() {
    return this.state.failure ? <Failure text={this.state.failure} /> : this.props.children;
  }
}
