// Words in Markdown, or HTML.
import { renderTextPanelMarkdown } from '@grafana/data';

export function Draw({ options: { mode, content = '' } }) {
  const html = mode === 'html' ? content : renderTextPanelMarkdown(content);
  return <div className="text markdown-html" dangerouslySetInnerHTML={{ __html: html }} />;
}
