// The official OpenAI SDK for Node against the release binary and the mock upstream, on both path families.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import OpenAI from 'openai';

const messages = [{ role: 'user', content: 'Tell me about gateways.' }];
const weather = {
  type: 'function',
  function: {
    name: 'get_weather',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
};

async function collect(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
}

for (const family of ['/v1', '/openai/v1']) {
  const options = { baseURL: process.env.SLUICE_URL + family, apiKey: process.env.SLUICE_KEY };
  const client = new OpenAI(options);
  const once = new OpenAI({ ...options, maxRetries: 0 });

  describe(family, () => {
    test('completion, plain and streamed, is the same text for the same seed', async () => {
      const body = { model: 'demo', prompt: 'Once', max_tokens: 8, seed: 7 };
      const plain = await client.completions.create(body);
      const chunks = await collect(await client.completions.create({ ...body, stream: true }));
      assert.ok(plain.usage.total_tokens > 0);
      assert.equal(chunks.map((chunk) => chunk.choices[0].text).join(''), plain.choices[0].text);
    });

    test('chat', async () => {
      const done = await client.chat.completions.create({ model: 'demo', messages });
      assert.ok(done.choices[0].message.content);
    });

    test('chat stream with usage', async () => {
      const body = { model: 'demo', messages, max_tokens: 8, stream: true, stream_options: { include_usage: true } };
      const chunks = await collect(await client.chat.completions.create(body));
      assert.ok(chunks.some((chunk) => chunk.choices[0]?.delta.content));
      assert.ok(chunks.at(-1).usage.completion_tokens > 0);
    });

    test('tool call, streamed', async () => {
      const body = { model: 'demo', messages: [{ role: 'user', content: 'Weather in Zurich?' }], tools: [weather], stream: true };
      const calls = (await collect(await client.chat.completions.create(body)))
        .flatMap((chunk) => chunk.choices[0]?.delta.tool_calls ?? []);
      assert.equal(calls[0].function.name, 'get_weather');
      assert.ok(JSON.parse(calls.map((call) => call.function.arguments ?? '').join('')).city);
    });

    test('embeddings', async () => {
      const done = await client.embeddings.create({ model: 'demo', input: ['one', 'two'] });
      assert.equal(done.data.length, 2);
      assert.equal(typeof done.data[0].embedding[0], 'number');
    });

    test('models', async () => {
      const ids = (await collect(client.models.list())).map((model) => model.id);
      assert.ok(ids.includes('demo'));
      assert.equal((await client.models.retrieve('vendor/demo-1.0')).id, 'vendor/demo-1.0');
    });

    test('responses, plain and streamed', async () => {
      const done = await client.responses.create({ model: 'demo', input: 'hi' });
      assert.ok(done.output_text);
      const events = await collect(await client.responses.create({ model: 'demo', input: 'hi', stream: true }));
      assert.equal(events.at(-1).type, 'response.completed');
    });

    test('an unknown model has a readable message and a code', async () => {
      const contract = family === '/openai/v1';
      await assert.rejects(once.chat.completions.create({ model: 'demoo', messages }), (error) => {
        assert.ok(error instanceof OpenAI.APIError);
        assert.equal(error.status, contract ? 400 : 404);
        assert.equal(error.code, contract ? 'model-not-found' : 'model_not_found');
        assert.match(error.message, /'demoo'/);
        return true;
      });
    });

    test('a stream that breaks is a typed error', async () => {
      for (const model of ['mock-cut-2', 'mock-error-2']) {
        const reading = async () => collect(await once.chat.completions.create({ model, messages, stream: true }));
        await assert.rejects(reading(), (error) => error instanceof OpenAI.APIError && error.message.length > 0);
      }
    });

    test('an upstream failure is a server error', async () => {
      await assert.rejects(once.chat.completions.create({ model: 'mock-500', messages }), { status: 502 });
    });
  });
}
