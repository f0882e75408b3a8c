// The official Anthropic SDK for Node against the release binary, with each kind of upstream behind it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';

const upstreams = { anthropic: 'claude-sonnet-4-5', chat: 'qwen3-32b', openai: 'gpt-4o' };
const hello = [{ role: 'user', content: 'Tell me about gateways.' }];
const weather = {
  name: 'get_weather',
  description: 'The weather of a city',
  input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};
const text = (message) => message.content.filter((block) => block.type === 'text').map((block) => block.text).join('');

for (const path of ['', '/anthropic']) {
  const options = { baseURL: process.env.SLUICE_URL + path, apiKey: process.env.SLUICE_KEY, maxRetries: 0 };
  const client = new Anthropic(options);

  for (const [upstream, model] of Object.entries(upstreams)) {
    const body = { model: `${upstream}/${model}`, max_tokens: 500, messages: hello };

    describe(`${path || '/'} to ${upstream}`, () => {
      test('a message', async () => {
        const done = await client.messages.create(body);
        assert.equal(done.stop_reason, 'end_turn');
        assert.ok(text(done) && done.usage.input_tokens > 0 && done.usage.output_tokens > 0);
      });

      test('a stream is the message in pieces', async () => {
        const stream = client.messages.stream({ ...body, model: `${upstream}/mock-stream-5` });
        let told = '';
        stream.on('text', (piece) => (told += piece));
        const done = await stream.finalMessage();
        assert.equal(told, ' one two and then the');
        assert.equal(text(done), told);
        assert.equal(done.usage.output_tokens, 5);
      });

      test('tools in parallel and their results', async () => {
        const messages = [{ role: 'user', content: 'What is the weather in both Oslo and Rome?' }];
        const asked = { ...body, tools: [weather], messages };
        const done = await client.messages.stream(asked).finalMessage();
        const calls = done.content.filter((block) => block.type === 'tool_use');
        assert.deepEqual(calls.map((call) => call.input.city), ['Oslo', 'Rome']);
        const results = calls.map((call) => ({ type: 'tool_result', tool_use_id: call.id, content: `21 in ${call.input.city}` }));
        const more = [...messages, { role: 'assistant', content: done.content }, { role: 'user', content: results }];
        assert.match(text(await client.messages.create({ ...asked, messages: more })), /21 in Oslo\n21 in Rome/);
      });

      test('tokens are counted', async () => {
        const { max_tokens, ...rest } = body;
        assert.ok((await client.messages.countTokens(rest)).input_tokens > 0);
      });

      test('an upstream failure is a server error', async () => {
        const broken = client.messages.create({ ...body, model: `${upstream}/mock-500` });
        await assert.rejects(broken, (error) => error instanceof Anthropic.InternalServerError && error.status === 502);
      });

      test('a stream that breaks is a typed error', async () => {
        const broken = client.messages.stream({ ...body, model: `${upstream}/mock-cut-2` }).finalMessage();
        await assert.rejects(broken, (error) => error instanceof Anthropic.APIError && error.message.length > 0);
      });
    });
  }

  test(`${path || '/'}: models and what is not there`, async () => {
    const ids = [];
    for await (const model of client.models.list()) ids.push(model.id);
    assert.ok(ids.includes('chat/qwen3-32b'));
    const missing = client.messages.create({ model: 'nobody', max_tokens: 5, messages: hello });
    await assert.rejects(missing, (error) => error instanceof Anthropic.NotFoundError && error.type === 'not_found_error');
  });
}
